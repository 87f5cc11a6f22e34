/** The tab "Updates": what there is, what can be done about it, and how it is set up. */

import { describeFailure, type HistoryEntry, type Outcome, type Settings, type Status, type When } from "./api.ts";
import { button, formatSize, link, make, setChildren, setText, time } from "./elements.ts";
import { renderMarkdown } from "./markdown.ts";

/** What the panel can ask for. Each answers when the server has, and rejects with the reason where it refuses. */
export interface Actions {
  check: () => Promise<void>;
  apply: (version: string, when: When) => Promise<void>;
  cancel: () => Promise<void>;
  getSettings: () => Promise<Settings>;
  saveSettings: (settings: Settings) => Promise<void>;
  getHistory: () => Promise<HistoryEntry[]>;
}

export interface Panel {
  element: HTMLElement;
  show: (status: Status) => void;
  /** Does something, and shows the reason where it fails. */
  attempt: (action: () => Promise<void>) => Promise<void>;
}

const WORDS: Record<Outcome, string> = { updated: "updated", rolled_back: "went back", failed: "failed" };

/** What is going on, in a sentence. */
export function describe(status: Status): string {
  const version = status.release?.version ?? "";
  switch (status.state) {
    case "checking":
      return "Looking for a new version …";
    case "downloading":
      return `Downloading version ${version} …`;
    case "applying":
      return `Putting version ${version} in place …`;
    case "error":
      return status.error?.message ?? "The update failed.";
    case "idle":
    case "update_available":
      if (status.onNextStart !== null) {
        return `Version ${status.onNextStart} runs from the next start on`;
      }
      if (status.release) {
        return `Version ${version} is available`;
      }
      return status.checkedAt === null ? "Not checked for updates yet" : "Up to date";
  }
}

function describeHistory({ version, fromVersion, outcome }: HistoryEntry): string {
  return `${fromVersion} → ${version}: ${WORDS[outcome]}`;
}

function row(term: string, ...value: (Node | string)[]): HTMLElement {
  return make("div", {}, make("dt", {}, term), make("dd", {}, ...value));
}

function section(title: string, ...children: HTMLElement[]): { element: HTMLElement; title: HTMLElement } {
  const heading = make("h2", {}, title);
  return { element: make("section", { class: "update-section" }, heading, ...children), title: heading };
}

/** A text to copy, with a button for it. */
function copyable(text: string, what: string, announce: (message: string) => void): HTMLElement {
  const code = make("code", { tabindex: "0" }, text);

  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      announce(`${what} copied.`);
    } catch {
      // Browsers give a page its clipboard over HTTPS and from the same machine only.
      window.getSelection()?.selectAllChildren(code);
      announce(`${what} selected: copy it with the keyboard or the menu.`);
    }
  }

  return make(
    "div",
    { class: "update-copy" },
    code,
    button("Copy", () => void copy(), { "aria-label": `Copy ${what}` }),
  );
}

function makeSettings(
  actions: Actions,
  attempt: Panel["attempt"],
): { element: HTMLElement; load: () => Promise<void> } {
  const enabled = make("input", { type: "checkbox", id: "update-enabled" });
  const hours = make("input", {
    type: "number",
    id: "update-interval",
    min: "1",
    max: "720",
    step: "1",
    required: true,
  });
  const channel = make(
    "select",
    { id: "update-channel" },
    make("option", { value: "stable" }, "Stable releases"),
    make("option", { value: "prerelease" }, "Pre-releases, too"),
  );
  const saved = make("p", { role: "status", class: "update-hint", id: "update-saved" });
  const form = make(
    "form",
    { class: "update-settings" },
    make("label", { class: "update-check" }, enabled, "Look for updates by itself"),
    make("label", {}, "Every how many hours", hours),
    make("label", {}, "Which releases", channel),
    saved,
  );

  async function load(): Promise<void> {
    const settings = await actions.getSettings();
    enabled.checked = settings.enabled;
    hours.value = String(settings.check_interval_hours);
    channel.value = settings.include_prerelease ? "prerelease" : "stable";
  }

  async function save(): Promise<void> {
    setText(saved, "");
    await actions.saveSettings({
      enabled: enabled.checked,
      check_interval_hours: hours.valueAsNumber,
      include_prerelease: channel.value === "prerelease",
    });
    setText(saved, "Saved.");
  }

  form.addEventListener("change", () => {
    if (hours.checkValidity()) {
      void attempt(save);
    } else {
      setText(saved, "Not saved: the hours are a whole number from 1 to 720.");
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
  });
  return { element: section("Settings", form).element, load };
}

export function makePanel(actions: Actions): Panel {
  let shown: Status | undefined;

  const state = make("p", { id: "update-state", class: "update-state" });
  const detail = make("p", { id: "update-detail", class: "update-hint" });
  const failure = make("p", { role: "alert", class: "update-failure", id: "update-failure" });
  const bar = make("progress", { id: "update-progress", "aria-label": "Download" });
  const amount = make("span", { class: "update-hint" });
  const download = make(
    "div",
    { class: "update-download", hidden: true },
    bar,
    amount,
    button("Cancel", () => void attempt(actions.cancel), { id: "update-cancel" }),
  );

  const now = button("Update now", apply("now"), { id: "update-now", class: "update-primary" });
  const later = button("On next start", apply("next_start"), { id: "update-later" });
  const check = button("Check now", () => void attempt(actions.check), { id: "update-check" });

  const releases = link("", "All releases");
  releases.classList.add("update-link");
  releases.id = "update-releases";

  const notes = section("What is new", make("div", { class: "update-notes", id: "update-notes" }));
  const notesBody = notes.element.lastElementChild ?? notes.element;
  const commands = make("div", { id: "update-commands" });
  const copied = make("p", { role: "status", class: "update-hint" });
  const howTo = section("How to update", commands, copied).element;
  const facts = make("dl", { id: "update-facts" });
  const history = make("ul", { class: "update-history", id: "update-history" });
  const past = section("History", history).element;
  const settings = makeSettings(actions, attempt);

  const element = make(
    "div",
    { id: "updates" },
    make(
      "section",
      { class: "update-section update-summary" },
      make("h2", {}, "Updates"),
      make("div", { role: "status" }, state, detail),
      failure,
      download,
      make("p", { class: "update-buttons" }, now, later, check, releases),
    ),
    notes.element,
    howTo,
    section("This installation", facts).element,
    settings.element,
    past,
  );

  function apply(when: When): () => void {
    return () => {
      const version = shown?.release?.version;
      if (version !== undefined) {
        void attempt(() => actions.apply(version, when));
      }
    };
  }

  async function attempt(action: () => Promise<void>): Promise<void> {
    setText(failure, "");
    try {
      await action();
    } catch (error) {
      setText(failure, describeFailure(error));
    }
  }

  async function showHistory(): Promise<void> {
    const entries = await actions.getHistory();
    past.hidden = entries.length === 0;
    const items = entries.map((entry) =>
      make(
        "li",
        { "data-outcome": entry.outcome },
        make("strong", {}, describeHistory(entry)),
        make("span", { class: "update-hint" }, time(entry.at)),
        entry.message === "" ? null : make("p", {}, entry.message),
      ),
    );
    setChildren(history, items, JSON.stringify(entries));
  }

  function showState(status: Status): void {
    const { release, progress, error } = status;
    const busy = ["checking", "downloading", "applying"].includes(status.state);
    const offered = release !== null && status.canAutoUpdate && !busy;
    element.dataset.state = status.state;
    setText(state, describe(status));
    const hints = [
      status.state === "error" ? error?.wayOut : undefined,
      status.state === "update_available" && release?.prerelease ? "It is a pre-release." : undefined,
      release && offered && release.size !== null ? `To download: ${formatSize(release.size)}.` : undefined,
      release && !status.canAutoUpdate ? status.reason : undefined,
    ];
    setText(detail, hints.filter(Boolean).join(" "));

    now.hidden = !offered;
    later.hidden = !offered || status.onNextStart === release.version;
    check.disabled = busy;
    releases.hidden = status.releasesUrl === null;
    releases.href = status.releasesUrl ?? "";
    download.hidden = status.state !== "downloading";
    if (progress && progress.total > 0) {
      bar.max = progress.total;
      bar.value = progress.received;
    } else {
      bar.removeAttribute("value");
    }
    const speed = progress ? ` · ${formatSize(progress.bytesPerSecond)}/s` : "";
    setText(amount, progress ? `${formatSize(progress.received)} of ${formatSize(progress.total)}${speed}` : "");
  }

  function showRelease({ release, image, releasesUrl }: Status): void {
    notes.element.hidden = release === null;
    if (release) {
      const page = release.pageUrl ?? releasesUrl;
      setText(notes.title, `What is new in ${release.version}`);
      const published = make(
        "p",
        { class: "update-hint" },
        "Published ",
        time(release.publishedAt),
        page === null ? "" : " · ",
      );
      if (page !== null) {
        published.append(link(page, "Release page"));
      }
      const body =
        release.notes.trim() === "" ? make("p", {}, "Nobody wrote down what is new.") : renderMarkdown(release.notes);
      setChildren(notesBody, [published, body], JSON.stringify(release));
    }
    howTo.hidden = image === null || release === null;
    if (image) {
      const announce = (message: string): void => {
        setText(copied, message);
      };
      const parts = [
        make("p", {}, "The image:"),
        copyable(image.name, "the image's name", announce),
        make("p", {}, "On the machine that runs it, in the folder of its compose file:"),
        copyable(image.commands.join("\n"), "the commands", announce),
      ];
      setChildren(commands, parts, JSON.stringify(image));
    }
  }

  function showFacts(status: Status): void {
    const { installType, checkedAt, confirmedAt, last } = status;
    const rows = [
      row("Current version", status.currentVersion),
      row("Installed as", installType.charAt(0).toUpperCase() + installType.slice(1)),
      row("Last checked", checkedAt === null ? "never" : time(checkedAt)),
      // An old date here means: somebody may be hiding newer releases.
      ...(confirmedAt === null ? [] : [row("Last signature confirmed", time(confirmedAt))]),
      ...(last
        ? [row("Last update", describeHistory(last), ...(last.message === "" ? [] : [` (${last.message})`]))]
        : []),
    ];
    setChildren(facts, rows, JSON.stringify([status.currentVersion, installType, checkedAt, confirmedAt, last]));
  }

  function show(status: Status): void {
    const finished = shown && status.last?.at !== shown.last?.at;
    shown = status;
    showState(status);
    showRelease(status);
    showFacts(status);
    if (finished && !element.hidden) {
      void attempt(showHistory);
    }
  }

  element.addEventListener("shown", () => {
    void attempt(async () => {
      await Promise.all([settings.load(), showHistory()]);
    });
  });

  return { element, show, attempt };
}
