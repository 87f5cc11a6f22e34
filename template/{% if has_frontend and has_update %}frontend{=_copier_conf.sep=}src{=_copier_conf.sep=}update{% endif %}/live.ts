/** Keeps the page up to date: by the server's WebSocket, and by asking again and again where there is none. */

import { eventsAddress, getStatus, readStatus, type Status } from "./api.ts";

/** Seconds until the next question while there is no WebSocket. */
export const PAUSE = { quiet: 10, busy: 1, restarting: 0.5 };
/** Seconds until the next try at a WebSocket. */
const RETRY = 30;

const BUSY: readonly string[] = ["checking", "downloading", "applying"];

export interface Listener {
  status: (status: Status) => void;
  /** The server says that it ends now, or it stopped answering while it put a version in place. */
  restarting: (status: Status) => void;
  unreachable: () => void;
}

export interface Live {
  /** Asks at once. */
  refresh: () => Promise<void>;
  /** While the server restarts it is asked often, and a WebSocket to the one that ends counts for nothing. */
  setRestarting: (restarting: boolean) => void;
  stop: () => void;
}

export function startLive(listener: Listener): Live {
  const stopped = new AbortController();
  let socket: WebSocket | undefined;
  let triedAt = -Infinity;
  let timer: number | undefined;
  let running: Promise<void> | undefined;
  let restarting = false;
  let last: Status | undefined;
  let heard = 0;

  function tell(status: Status): void {
    last = status;
    listener.status(status);
  }

  function receive(data: unknown): void {
    const { event, status } = JSON.parse(String(data)) as { event: unknown; status: unknown };
    const known = readStatus(status);
    heard += 1;
    if (event === "server_restarting") {
      last = known;
      listener.restarting(known);
    } else {
      tell(known);
    }
  }

  function close(): void {
    const old = socket;
    socket = undefined;
    old?.close();
  }

  function connect(): void {
    triedAt = Date.now();
    const opened = new WebSocket(eventsAddress());
    socket = opened;
    opened.addEventListener("message", (message) => {
      if (socket !== opened) {
        return;
      }
      try {
        receive(message.data);
      } catch {
        close(); // what it says makes no sense: ask instead
        plan();
      }
    });
    opened.addEventListener("close", () => {
      if (socket === opened) {
        socket = undefined;
        void refresh();
      }
    });
  }

  async function ask(): Promise<void> {
    window.clearTimeout(timer);
    const before = heard;
    try {
      const status = await getStatus();
      if (!stopped.signal.aborted) {
        // What the WebSocket has brought meanwhile may be newer, and it brings all that comes after that.
        if (heard === before) {
          tell(status);
        }
        const wait = restarting ? PAUSE.restarting : RETRY;
        if (!restarting && !socket && !document.hidden && Date.now() - triedAt >= wait * 1000) {
          connect();
        }
      }
    } catch {
      if (!stopped.signal.aborted) {
        listener.unreachable();
        if (!restarting && last?.state === "applying") {
          listener.restarting(last);
        }
      }
    }
    running = undefined;
    plan();
  }

  function plan(): void {
    window.clearTimeout(timer);
    // A page that nobody sees asks nothing; it asks as soon as it is seen again.
    if (stopped.signal.aborted || (document.hidden && !restarting) || socket?.readyState === WebSocket.OPEN) {
      return;
    }
    const pause = restarting ? PAUSE.restarting : last && BUSY.includes(last.state) ? PAUSE.busy : PAUSE.quiet;
    timer = window.setTimeout(() => void refresh(), pause * 1000);
  }

  function refresh(): Promise<void> {
    running ??= ask();
    return running;
  }

  function seen(): void {
    if (!document.hidden) {
      void refresh();
    }
  }

  document.addEventListener("visibilitychange", seen, { signal: stopped.signal });
  window.addEventListener("online", seen, { signal: stopped.signal });
  void refresh();

  return {
    refresh,
    setRestarting: (value) => {
      restarting = value;
      if (value) {
        close();
      } else {
        triedAt = -Infinity;
      }
      plan();
    },
    stop: () => {
      stopped.abort();
      window.clearTimeout(timer);
      close();
    },
  };
}
