/** Updates on the page: a badge at the version, a banner, the tab "Updates", and what is seen during a restart. */

// `startUpdates()` adds all of it to a page that has a `<main>` and an element with the id `version`, and is told by the
// server what there is to show. The colours are those of the page's own style sheet.

import "./update.css";

import * as api from "./api.ts";
import type { Status } from "./api.ts";
import { button, make, makeTabs } from "./elements.ts";
import { startLive } from "./live.ts";
import { makeBadge, makeBanner, makeOverlay, makeResult, remember, remembered } from "./notices.ts";
import { makePanel } from "./panel.ts";

/** Seconds that a new version has to say how the update went, before the page believes what it sees. */
const PROOF = 15;
/** Seconds after which a restart takes longer than usual. */
const LATE = 120;
const RESULT = "update-result";

interface Restart {
  from: string;
  target: string;
  lastAt: string | undefined;
  since: number;
  answeredAt: number | undefined;
}

export interface Updates {
  stop: () => void;
}

/** What became of a restart, in a sentence. */
function describeResult(status: Status, { from, target, lastAt }: Restart): string {
  const news = status.last?.at === lastAt ? null : status.last;
  const reason = news && news.message !== "" ? ` ${news.message}` : "";
  if (news?.outcome === "updated" || (!news && status.currentVersion !== from)) {
    return `Updated: version ${status.currentVersion} runs now.`;
  }
  if (news?.outcome === "rolled_back") {
    return `Version ${news.version} did not work, so version ${status.currentVersion} runs again.${reason}`;
  }
  return `Version ${target} could not be put in place; version ${status.currentVersion} still runs.${reason}`;
}

export function startUpdates(
  reload: () => void = () => {
    location.reload();
  },
): Updates {
  const main = document.querySelector("main");
  const version = document.getElementById("version");
  if (!main || !version) {
    throw new Error('Updates need a <main> and an element with the id "version" on the page.');
  }
  let restart: Restart | undefined;
  let first: string | undefined;

  const panel = makePanel({
    check: () => api.check().then(refresh),
    apply: (target, when) => api.apply(target, when).then(refresh),
    cancel: () => api.cancel().then(refresh),
    getSettings: api.getSettings,
    saveSettings: api.saveSettings,
    getHistory: api.getHistory,
  });
  const page = make("div", { id: "status-panel" }, ...main.childNodes);
  const statusTab = make("button", { type: "button", id: "status-tab" }, "Status");
  const updatesTab = make("button", { type: "button", id: "updates-tab" }, "Updates");
  const tabs = makeTabs("Parts of this page", [
    [statusTab, page],
    [updatesTab, panel.element],
  ]);
  main.append(tabs, page, panel.element);

  const badge = makeBadge(version, open);
  const banner = makeBanner({
    open,
    apply: () => {
      open();
      document.getElementById("update-now")?.click();
    },
    dismiss: (dismissed) => {
      focusTab();
      void panel.attempt(() => api.dismiss(dismissed));
    },
  });
  const result = makeResult(focusTab);
  const overlay = makeOverlay(reload);
  main.before(result.element, banner.element);
  document.body.append(overlay.element);

  const live = startLive({ status: show, restarting: begin, unreachable });

  /** What had the focus is gone: on to the tab that is shown. */
  function focusTab(): void {
    (statusTab.tabIndex === 0 ? statusTab : updatesTab).focus();
  }

  function open(): void {
    tabs.select(1);
    updatesTab.focus();
  }

  async function refresh(): Promise<void> {
    await live.refresh();
  }

  function begin(status: Status): void {
    restart ??= {
      from: status.currentVersion,
      target: status.release?.version ?? "",
      lastAt: status.last?.at,
      since: Date.now(),
      answeredAt: undefined,
    };
    overlay.open(restart.target);
    live.setRestarting(true);
  }

  function show(status: Status): void {
    first ??= status.currentVersion;
    badge(status.release);
    banner.show(status);
    panel.show(status);
    if (restart) {
      follow(status, restart);
    } else if (status.currentVersion !== first) {
      // It was restarted while nobody looked, and what this page consists of may be outdated.
      result.show(`Version ${status.currentVersion} runs now.`, button("Reload the page", reload));
    }
  }

  function follow(status: Status, restarted: Restart): void {
    if (status.state === "applying" && status.currentVersion === restarted.from) {
      restarted.answeredAt = undefined; // it has not ended yet
      late(restarted);
      return;
    }
    const expected = [restarted.from, restarted.target || status.currentVersion];
    if (!expected.includes(status.currentVersion) && !isLate(restarted)) {
      restarted.answeredAt = undefined; // not what was to come: it will be gone back from
      return;
    }
    restarted.answeredAt ??= Date.now();
    const known = status.last !== null && status.last.at !== restarted.lastAt;
    if (known || Date.now() - restarted.answeredAt >= PROOF * 1000) {
      finish(status, restarted);
    }
  }

  function finish(status: Status, restarted: Restart): void {
    restart = undefined;
    live.setRestarting(false);
    const message = describeResult(status, restarted);
    if (status.currentVersion === restarted.from) {
      overlay.close();
      result.show(message);
    } else {
      remember("sessionStorage", RESULT, message); // the page of the new version shows it
      reload();
    }
  }

  function isLate(restarted: Restart): boolean {
    return Date.now() - restarted.since >= LATE * 1000;
  }

  function late(restarted: Restart): void {
    if (isLate(restarted)) {
      overlay.late();
    }
  }

  function unreachable(): void {
    if (restart) {
      restart.answeredAt = undefined;
      late(restart);
    }
  }

  const message = remembered("sessionStorage", RESULT);
  if (message !== null) {
    remember("sessionStorage", RESULT, null);
    // Live regions are read out when something comes into them, not when they come with something in them.
    window.setTimeout(() => {
      result.show(message);
    });
  }

  return { stop: live.stop };
}
