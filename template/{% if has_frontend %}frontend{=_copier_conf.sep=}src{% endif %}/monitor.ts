/** Asks the server again and again how it is, and tells a listener. */

import { describeFailure, getHealth, getSystemInfo, type SystemInfo } from "./api.ts";

export type State =
  | { status: "starting" | "ready"; info: SystemInfo; checkedAt: Date }
  | { status: "unreachable"; reason: string; checkedAt: Date };

/** Seconds until the next question. Shorter while something is about to change. */
export const PAUSE = { ready: 5, starting: 2, unreachable: 2 };

export interface Monitor {
  /** Asks at once; a question that is already on its way is not asked twice. */
  check: () => Promise<void>;
  stop: () => void;
}

async function ask(): Promise<State> {
  try {
    const [health, info] = await Promise.all([getHealth(), getSystemInfo()]);
    return { status: health.ready ? "ready" : "starting", info, checkedAt: new Date() };
  } catch (error) {
    return { status: "unreachable", reason: describeFailure(error), checkedAt: new Date() };
  }
}

export function startMonitor(listener: (state: State) => void): Monitor {
  const stopped = new AbortController();
  let timer: number | undefined;
  let running: Promise<void> | undefined;

  async function askAndTell(): Promise<void> {
    window.clearTimeout(timer);
    const state = await ask();
    running = undefined;
    if (stopped.signal.aborted) {
      return;
    }
    listener(state);
    // A page that nobody sees asks nothing; it asks as soon as it is seen again.
    if (!document.hidden) {
      timer = window.setTimeout(() => void check(), PAUSE[state.status] * 1000);
    }
  }

  function check(): Promise<void> {
    running ??= askAndTell();
    return running;
  }

  function checkWhenVisible(): void {
    if (!document.hidden) {
      void check();
    }
  }

  document.addEventListener("visibilitychange", checkWhenVisible, { signal: stopped.signal });
  window.addEventListener("online", checkWhenVisible, { signal: stopped.signal });
  void check();

  return {
    check,
    stop: () => {
      window.clearTimeout(timer);
      stopped.abort();
    },
  };
}
