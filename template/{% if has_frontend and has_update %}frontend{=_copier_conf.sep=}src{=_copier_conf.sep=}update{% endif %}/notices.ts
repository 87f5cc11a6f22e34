/** What is seen outside of the tab: the badge at the version, the banner, and what covers the page during a restart. */

import type { Release, Status } from "./api.ts";
import { button, link, make, setText } from "./elements.ts";

/** Turns the version into a button while there is an update. The element stays, so that others may go on writing it. */
export function makeBadge(version: HTMLElement, onOpen: () => void): (release: Release | null) => void {
  const hint = make("span", { class: "update-hidden" });
  const badge = button("", onOpen, { class: "update-badge" });

  return (release) => {
    const marked = version.parentElement === badge;
    if (release) {
      setText(hint, `, version ${release.version} is available`);
    }
    if (release && !marked) {
      version.replaceWith(badge);
      badge.append(version, hint);
    } else if (!release && marked) {
      badge.replaceWith(version);
    }
    version.classList.toggle("has-update", release !== null);
  };
}

const DISMISSED = "update-dismissed";

/** The browser's own storage, which it may refuse. */
export function remembered(storage: "localStorage" | "sessionStorage", key: string): string | null {
  try {
    return window[storage].getItem(key);
  } catch {
    return null;
  }
}

export function remember(storage: "localStorage" | "sessionStorage", key: string, value: string | null): void {
  try {
    if (value === null) {
      window[storage].removeItem(key);
    } else {
      window[storage].setItem(key, value);
    }
  } catch {
    // Then it is forgotten at the next visit. The server remembers what was dismissed, too.
  }
}

export interface Banner {
  element: HTMLElement;
  show: (status: Status) => void;
}

export function makeBanner(actions: {
  apply: () => void;
  open: () => void;
  dismiss: (version: string) => void;
}): Banner {
  let status: Status | undefined;
  const text = make("p", { role: "status" });
  const apply = button("", act, { class: "update-primary" });
  const page = link("", "Release page");
  const close = button("×", dismiss, { class: "update-close", "aria-label": "Dismiss" });
  const buttons = make("div", { class: "update-buttons", hidden: true }, apply, page, close);
  page.classList.add("update-link");
  const element = make(
    "section",
    { id: "update-banner", "aria-label": "New version", "data-empty": true },
    text,
    buttons,
  );

  function act(): void {
    if (status?.canAutoUpdate) {
      actions.apply();
    } else {
      actions.open();
    }
  }

  function dismiss(): void {
    const version = status?.release?.version;
    if (status && version !== undefined) {
      remember("localStorage", DISMISSED, version);
      actions.dismiss(version);
      show(status);
    }
  }

  function show(next: Status): void {
    status = next;
    const { release, state } = next;
    const idle = state === "update_available" || state === "idle" || state === "error";
    const wanted =
      release !== null &&
      idle &&
      !next.dismissed &&
      next.onNextStart !== release.version &&
      remembered("localStorage", DISMISSED) !== release.version;
    // The live region stays in the page, empty: only then is what comes into it read out.
    setText(text, wanted ? `Version ${release.version} is available.` : "");
    element.toggleAttribute("data-empty", !wanted);
    buttons.hidden = !wanted;
    setText(apply, next.canAutoUpdate ? "Update now" : "How to update");
    const address = release?.pageUrl ?? next.releasesUrl;
    page.hidden = address === null;
    page.href = address ?? "";
  }

  return { element, show };
}

/** One message after a restart, until somebody dismisses it. */
export function makeResult(onDismiss: () => void): {
  element: HTMLElement;
  show: (message: string, way?: HTMLElement) => void;
} {
  const text = make("p", { role: "status" });
  const buttons = make("div", { class: "update-buttons" });
  const element = make(
    "section",
    { id: "update-result", "aria-label": "Result of the update", "data-empty": true },
    text,
    buttons,
  );
  const close = button(
    "×",
    () => {
      element.toggleAttribute("data-empty", true);
      setText(text, "");
      buttons.replaceChildren();
      onDismiss();
    },
    { class: "update-close", "aria-label": "Dismiss" },
  );
  return {
    element,
    show: (message, way) => {
      element.toggleAttribute("data-empty", false);
      setText(text, message);
      buttons.replaceChildren(...(way ? [way] : []), close);
    },
  };
}

export interface Overlay {
  element: HTMLDialogElement;
  open: (version: string) => void;
  /** It takes longer than usual. */
  late: () => void;
  close: () => void;
}

export function makeOverlay(reload: () => void): Overlay {
  const title = make("h2", { id: "update-overlay-title" }, "Restarting");
  const text = make("p", { role: "status" });
  const again = button("Reload the page", reload, { hidden: "" });
  const element = make(
    "dialog",
    { id: "update-overlay", "aria-labelledby": title.id },
    make("div", { class: "update-light", "aria-hidden": "true" }),
    title,
    text,
    again,
  );
  // Escape closes a dialog, but the server is still away.
  element.addEventListener("cancel", (event) => {
    event.preventDefault();
  });
  return {
    element,
    open: (version) => {
      again.hidden = true;
      setText(title, version === "" ? "Restarting" : `Restarting with version ${version}`);
      if (!element.open) {
        element.showModal();
      }
      setText(text, "This page comes back by itself.");
    },
    late: () => {
      again.hidden = false;
      setText(
        text,
        "This takes longer than usual. The page goes on trying; on the machine of the server, its log says more.",
      );
    },
    close: () => {
      element.close();
    },
  };
}
