/** Updates on the page, against a server that does what a test tells it to. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import html from "../../index.html?raw";
import { startUpdates, type Updates } from "../../src/update/index.ts";

const RELEASE = {
  version: "1.1.0",
  tag: "v1.1.0",
  name: "1.1.0",
  notes: "- **Faster**\n- <img src=x onerror=alert(1)>",
  prerelease: false,
  published_at: "2026-01-01T00:00:00Z",
  page_url: "https://gitea.example.com/me/it/releases/tag/v1.1.0",
  size: 68_000,
};
const STATUS = {
  state: "idle",
  current_version: "1.0.0",
  install_type: "portable",
  can_auto_update: true,
  reason: null as string | null,
  release: null as typeof RELEASE | null,
  dismissed: false,
  progress: null as object | null,
  error: null as object | null,
  checked_at: "2026-01-02T03:00:00Z" as string | null,
  confirmed_at: "2026-01-02T03:00:00Z" as string | null,
  on_next_start: null as string | null,
  releases_url: "https://gitea.example.com/me/it/releases",
  image: null as object | null,
  last: null as object | null,
};
const LAST = { version: "1.1.0", from_version: "1.0.0", outcome: "updated", at: "2026-01-02T03:05:00Z", message: "" };

class FakeSocket extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static opened: FakeSocket[] = [];
  static works = true;
  readyState = FakeSocket.CONNECTING;

  readonly address: string;

  constructor(address: string) {
    super();
    this.address = address;
    FakeSocket.opened.push(this);
    queueMicrotask(() => {
      if (FakeSocket.works) {
        this.readyState = FakeSocket.OPEN;
        this.tell("state_changed");
      } else {
        this.close();
      }
    });
  }

  tell(event: string): void {
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify({ event, status: server.status }) }));
  }

  close(): void {
    this.readyState = 3;
    this.dispatchEvent(new Event("close"));
  }
}

class FakeServer {
  status = { ...STATUS };
  settings: unknown = { enabled: true, check_interval_hours: 24, include_prerelease: false };
  history: unknown = [];
  up = true;
  refusal: string | undefined;
  late = 0; // seconds that an answer is on its way
  questions: string[] = [];

  answer(path: string, options: RequestInit): Promise<Response> {
    const method = options.method ?? "GET";
    const body = typeof options.body === "string" ? ` ${options.body}` : "";
    this.questions.push(`${method} ${path.replace("/system/update", "")}${body}`);
    if (!this.up) {
      return Promise.reject(new TypeError("Failed to fetch"));
    }
    if (method !== "GET") {
      expect(new Headers(options.headers).get("Content-Type")).toBe("application/json");
      if (this.refusal !== undefined) {
        return Promise.resolve(Response.json({ detail: this.refusal }, { status: 409 }));
      }
      return Promise.resolve(Response.json(this.status, { status: 202 }));
    }
    const answers: Record<string, unknown> = { status: this.status, settings: this.settings, history: this.history };
    const answer = Response.json(answers[path.split("/").at(-1) ?? ""]);
    return this.late
      ? new Promise((resolve) => setTimeout(resolve, this.late * 1000, answer))
      : Promise.resolve(answer);
  }
}

let server: FakeServer;
let updates: Updates;
const reload = vi.fn();

function find(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) {
    throw new Error(`no #${id}`);
  }
  return element;
}

/** The text that is seen. */
function text(id: string): string {
  return find(id).textContent;
}

function seen(id: string): boolean {
  return find(id).closest("[hidden], [data-empty]") === null;
}

async function pass(seconds = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(seconds * 1000);
}

async function open(status: Partial<typeof STATUS> = {}): Promise<void> {
  Object.assign(server.status, status);
  document.body.innerHTML = new DOMParser().parseFromString(html, "text/html").body.innerHTML;
  find("version").textContent = "1.0.0";
  updates = startUpdates(reload);
  await pass();
}

/** The server says something by its WebSocket. */
async function tell(event: string, status: Partial<typeof STATUS>): Promise<void> {
  Object.assign(server.status, status);
  FakeSocket.opened.at(-1)?.tell(event);
  await pass();
}

beforeEach(() => {
  vi.useFakeTimers({ now: new Date("2026-01-02T03:04:05Z") });
  server = new FakeServer();
  FakeSocket.opened = [];
  FakeSocket.works = true;
  vi.stubGlobal("fetch", (path: string, options: RequestInit) => server.answer(path, options));
  vi.stubGlobal("WebSocket", FakeSocket);
  localStorage.clear();
  sessionStorage.clear();
  reload.mockReset();
});

afterEach(() => {
  updates.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("shows nothing more than a tab while there is nothing new", async () => {
  await open();
  expect(find("version").className).toBe("");
  expect(seen("update-banner")).toBe(false);
  expect(find("updates").hidden).toBe(true);
  expect(text("update-state")).toBe("Up to date");
  expect(find("update-releases")).toMatchObject({ href: STATUS.releases_url, hidden: false });
  expect(FakeSocket.opened.map(({ address }) => address)).toEqual(["ws://localhost:3000/system/update/events"]);
});

test("an update shows as a badge that opens the tab, and as a banner", async () => {
  await open();
  await tell("update_available", { state: "update_available", release: RELEASE });
  expect(find("version").className).toBe("has-update");
  expect(find("version").closest("button")?.textContent).toBe("1.0.0, version 1.1.0 is available");
  expect(text("update-banner")).toContain("Version 1.1.0 is available.");
  expect(find("update-banner").querySelector("a")?.href).toBe(RELEASE.page_url);
  expect(find("update-banner").querySelector("a")?.rel).toContain("noopener");

  find("version").click();
  expect(find("updates").hidden).toBe(false);
  expect(find("updates-tab").getAttribute("aria-selected")).toBe("true");
  expect(document.activeElement).toBe(find("updates-tab"));
  expect(text("update-detail")).toBe("To download: 68 kB.");
  expect(find("update-notes").querySelector("li strong")?.textContent).toBe("Faster");
  expect(find("update-notes").querySelector("img")).toBeNull();

  await tell("state_changed", { state: "idle", release: null });
  expect(find("version").closest("button")).toBeNull();
  expect(text("version")).toBe("1.0.0");
});

test("a dismissed version stays away, a newer one shows again", async () => {
  await open({ state: "update_available", release: RELEASE });
  find("update-banner").querySelector<HTMLElement>("[aria-label=Dismiss]")?.click();
  expect(seen("update-banner")).toBe(false);
  expect(server.questions).toContain('POST /dismiss {"version":"1.1.0"}');
  expect(find("version").className).toBe("has-update");

  updates.stop();
  await open();
  expect(seen("update-banner")).toBe(false);
  await tell("update_available", { release: { ...RELEASE, version: "1.2.0" } });
  expect(seen("update-banner")).toBe(true);
  await tell("state_changed", { dismissed: true });
  expect(seen("update-banner")).toBe(false);
});

test("the banner applies, and the tab shows how far it is and cancels", async () => {
  await open({ state: "update_available", release: RELEASE });
  find("update-banner").querySelector("button")?.click();
  await pass();
  expect(server.questions).toContain('POST /apply {"version":"1.1.0","when":"now"}');
  expect(find("updates").hidden).toBe(false);

  const progress = { received: 34_000, total: 68_000, bytes_per_second: 1_500_000 };
  await tell("update_download_progress", { state: "downloading", progress });
  expect(text("update-state")).toBe("Downloading version 1.1.0 …");
  expect(find("updates").textContent).toContain("34 kB of 68 kB · 1.5 MB/s");
  expect(find("update-progress")).toMatchObject({ value: 34_000, max: 68_000 });
  expect(find("update-now").hidden).toBe(true);
  expect(seen("update-banner")).toBe(false);
  find("update-cancel").click();
  await pass();
  expect(server.questions).toContain("POST /cancel {}");
});

test("on the next start", async () => {
  await open({ state: "update_available", release: RELEASE });
  find("update-later").click();
  await pass();
  expect(server.questions).toContain('POST /apply {"version":"1.1.0","when":"next_start"}');
  await tell("state_changed", { on_next_start: "1.1.0" });
  expect(text("update-state")).toBe("Version 1.1.0 runs from the next start on");
  expect(find("update-later").hidden).toBe(true);
  expect(seen("update-banner")).toBe(false);
});

test("offers nothing that cannot be, and says why", async () => {
  const image = { name: "host/me/it:1.1.0", commands: ["pull it", "start it"] };
  await open({
    state: "update_available",
    release: RELEASE,
    can_auto_update: false,
    reason: "It is a container.",
    image,
  });
  expect(find("update-now").hidden).toBe(true);
  expect(find("update-later").hidden).toBe(true);
  expect(text("update-detail")).toBe("It is a container.");
  find("update-banner").querySelector("button")?.click();
  expect(find("updates").hidden).toBe(false);

  const write = vi.fn(() => Promise.resolve());
  vi.stubGlobal("navigator", { clipboard: { writeText: write } });
  find("update-commands").querySelectorAll("button")[1]?.click();
  await pass();
  expect(write).toHaveBeenCalledWith("pull it\nstart it");
  expect(find("updates").textContent).toContain("the commands copied.");
});

test("a refusal and an error are told, with the way out", async () => {
  await open({ state: "update_available", release: RELEASE });
  server.refusal = "A backup is running.";
  find("update-now").click();
  await pass();
  expect(text("update-failure")).toBe("A backup is running.");
  await tell("state_changed", { state: "error", error: { message: "The disk is full.", way_out: "Make room." } });
  expect(text("update-state")).toBe("The disk is full.");
  expect(text("update-detail")).toContain("Make room.");
});

test("settings are shown and saved at each change", async () => {
  await open();
  find("updates-tab").click();
  await pass();
  const hours = find("update-interval") as HTMLInputElement;
  expect(hours.value).toBe("24");
  hours.value = "6";
  hours.dispatchEvent(new Event("change", { bubbles: true }));
  await pass();
  const saved = { enabled: true, check_interval_hours: 6, include_prerelease: false };
  expect(server.questions).toContain(`PUT /settings ${JSON.stringify(saved)}`);
  expect(text("update-saved")).toBe("Saved.");
});

test("the history is shown", async () => {
  server.history = [{ ...LAST, outcome: "rolled_back", message: "It crashed." }];
  await open();
  find("updates-tab").click();
  await pass();
  expect(text("update-history")).toContain("1.0.0 → 1.1.0: went back");
  expect(text("update-history")).toContain("It crashed.");
});

test("the keyboard moves between the tabs", async () => {
  await open();
  find("status-tab").focus();
  for (const [key, chosen] of [
    ["ArrowRight", "updates-tab"],
    ["ArrowRight", "status-tab"],
    ["End", "updates-tab"],
    ["Home", "status-tab"],
    ["ArrowLeft", "updates-tab"],
  ] as const) {
    document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    expect(document.activeElement).toBe(find(chosen));
    expect(find(chosen).tabIndex).toBe(0);
  }
});

test("covers the page during a restart, and the page of the new version says that it runs", async () => {
  await open({ state: "applying", release: RELEASE });
  await tell("server_restarting", {});
  expect(find("update-overlay")).toMatchObject({ open: true });
  expect(text("update-overlay")).toContain("Restarting with version 1.1.0");

  server.up = false;
  await pass(3);
  server.up = true;
  Object.assign(server.status, { state: "idle", release: null, current_version: "1.1.0" });
  await pass(1);
  expect(reload).not.toHaveBeenCalled(); // it still has to prove itself
  server.status.last = LAST;
  await pass(1);
  expect(reload).toHaveBeenCalledOnce();

  updates.stop();
  await open();
  expect(text("update-result")).toContain("Updated: version 1.1.0 runs now.");
  find("update-result").querySelector("button")?.click();
  expect(seen("update-result")).toBe(false);
});

test("says when it went back, without a WebSocket as well", async () => {
  FakeSocket.works = false;
  await open({ state: "applying", release: RELEASE });
  server.up = false;
  await pass(2);
  expect(find("update-overlay")).toMatchObject({ open: true });
  await pass(130);
  expect(text("update-overlay")).toContain("longer than usual");

  server.up = true;
  const last = { ...LAST, outcome: "rolled_back", message: "It ended with code 1." };
  Object.assign(server.status, { state: "idle", release: null, last });
  await pass(1);
  expect(find("update-overlay")).toMatchObject({ open: false });
  expect(text("update-result")).toContain(
    "Version 1.1.0 did not work, so version 1.0.0 runs again. It ended with code 1.",
  );
  expect(reload).not.toHaveBeenCalled();
});

test("does not believe a version that was not to come: it is gone back from", async () => {
  await open({ state: "applying", release: RELEASE });
  await tell("server_restarting", {});
  Object.assign(server.status, { state: "idle", release: null, current_version: "9.9.9" });
  await pass(30);
  expect(reload).not.toHaveBeenCalled();
  expect(find("update-overlay")).toMatchObject({ open: true });
  const last = { ...LAST, outcome: "rolled_back", message: "" };
  Object.assign(server.status, { current_version: "1.0.0", last });
  await pass(1);
  expect(find("update-overlay")).toMatchObject({ open: false });
  expect(text("update-result")).toContain("Version 1.1.0 did not work, so version 1.0.0 runs again.");
});

test("asks while there is no WebSocket, and tries again to have one", async () => {
  FakeSocket.works = false;
  await open();
  server.status.state = "checking";
  await pass(10);
  expect(text("update-state")).toBe("Looking for a new version …");
  Object.assign(server.status, { state: "update_available", release: RELEASE });
  await pass(1);
  expect(text("update-state")).toBe("Version 1.1.0 is available");

  FakeSocket.works = true;
  await pass(40);
  expect(FakeSocket.opened).toHaveLength(2);
  server.questions = [];
  await pass(600);
  expect(server.questions).toEqual([]);
});

test("an answer that the WebSocket has overtaken is not shown", async () => {
  await open();
  server.status.state = "checking";
  server.late = 1;
  find("update-check").click();
  await pass();
  await tell("update_available", { state: "update_available", release: RELEASE });
  await pass(2);
  expect(server.questions.slice(-2)).toEqual(["POST /check {}", "GET /status"]);
  expect(text("update-state")).toBe("Version 1.1.0 is available");
  expect(find("version").className).toBe("has-update");
});

test("an answer that makes no sense leaves the page as it is", async () => {
  await open({ state: "update_available", release: { ...RELEASE, page_url: "javascript:alert(1)" } });
  expect(find("update-banner").querySelector("a")?.href).toBe(STATUS.releases_url);
  await tell("state_changed", { state: "sleeping" });
  expect(text("update-state")).toBe("Version 1.1.0 is available");
});
