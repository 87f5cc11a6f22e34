/** Shows what the monitor found out. Texts of the server are only ever set as text, never as HTML. */

import { formatDuration } from "./format.ts";
import { PAUSE, type State } from "./monitor.ts";

const WORDS = { starting: "Starting", ready: "Ready", unreachable: "Unreachable" };
const UNKNOWN = "–";

function find<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) {
    throw new Error(`index.html has no <${type.name}> with the id "${id}".`);
  }
  return element;
}

/** Sets a text only where it changes: screen readers read a live region again at every write. */
function setText(id: string, text: string): void {
  const element = find(id, HTMLElement);
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

function describe(state: State): string {
  switch (state.status) {
    case "ready":
      return "The server is up and answering.";
    case "starting":
      return "The server is answering, but not ready yet.";
    case "unreachable":
      return `${state.reason} Trying again every ${PAUSE.unreachable} seconds.`;
  }
}

export interface Page {
  show: (state: State) => void;
  /** Lets the uptime go on between two answers. */
  tick: () => void;
}

export function createPage(onCheckNow: () => void): Page {
  let startedAt: number | undefined;
  find("check", HTMLButtonElement).addEventListener("click", onCheckNow);

  function tick(): void {
    setText("uptime", startedAt === undefined ? UNKNOWN : formatDuration((Date.now() - startedAt) / 1000));
  }

  function show(state: State): void {
    document.documentElement.dataset.status = state.status;
    setText("status", WORDS[state.status]);
    setText("detail", describe(state));

    const checked = find("checked", HTMLTimeElement);
    checked.dateTime = state.checkedAt.toISOString();
    checked.textContent = state.checkedAt.toLocaleTimeString();

    if (state.status === "unreachable") {
      startedAt = undefined; // all the rest is still the last thing known
    } else {
      const { info } = state;
      startedAt = state.checkedAt.getTime() - info.uptimeSeconds * 1000;
      document.title = info.name;
      setText("name", info.name);
      setText("version", info.version);
      setText("python", info.python);
      setText("platform", info.platform);
      const releases = find("releases", HTMLAnchorElement);
      releases.hidden = info.releasesUrl === undefined;
      releases.href = info.releasesUrl ?? "";
    }
    tick();
  }

  return { show, tick };
}
