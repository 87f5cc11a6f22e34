/** The whole page: index.html and main.ts in a document, against a server that comes and goes. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import html from "../index.html?raw";
import type { Monitor } from "../src/monitor.ts";
import { FakeServer, INFO } from "./server.ts";

let server: FakeServer;
let monitor: Monitor;

function text(id: string): string | null | undefined {
  return document.getElementById(id)?.textContent;
}

async function pass(seconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(seconds * 1000);
}

/** Loads the page as a browser does. */
async function open(): Promise<void> {
  const page = new DOMParser().parseFromString(html, "text/html");
  document.title = page.title;
  document.body.innerHTML = page.body.innerHTML;
  vi.resetModules();
  ({ monitor } = await import("../src/main.ts"));
  await pass(0);
}

beforeEach(() => {
  vi.useFakeTimers({ now: new Date("2026-01-02T03:04:05Z") });
  server = new FakeServer();
});

afterEach(() => {
  monitor.stop();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test("shows the server's name, version and status", async () => {
  await open();
  expect(document.documentElement.dataset.status).toBe("ready");
  expect(text("status")).toBe("Ready");
  expect(text("version")).toBe("1.2.3");
  expect(text("python")).toBe("3.13.1");
  expect(text("platform")).toBe("Linux x86_64");
  expect(document.querySelector<HTMLTimeElement>("#checked")?.dateTime).toBe("2026-01-02T03:04:05.000Z");
  expect(document.getElementById("releases")?.hidden).toBe(true);
});

test("takes the title from the server, as text and not as HTML", async () => {
  await open();
  expect(document.title).toBe(INFO.name);
  expect(text("name")).toBe(INFO.name);
  expect(document.querySelector("#name b")).toBeNull();
});

test("the uptime goes on between two answers", async () => {
  await open();
  expect(text("uptime")).toBe("1 min 2 s");
  await pass(3);
  expect(text("uptime")).toBe("1 min 5 s");
});

test("says when the server goes away, and is back to normal by itself", async () => {
  await open();
  server.up = false;
  await pass(5);
  expect(text("status")).toBe("Unreachable");
  expect(text("detail")).toBe("No answer from the server. Trying again every 2 seconds.");
  expect(text("version")).toBe("1.2.3");
  expect(text("uptime")).toBe("–");

  server.up = true;
  server.ready = false;
  await pass(2);
  expect(text("status")).toBe("Starting");

  server.ready = true;
  server.info = { ...INFO, version: "1.3.0", uptime_seconds: 1 };
  await pass(2);
  expect(text("status")).toBe("Ready");
  expect(text("version")).toBe("1.3.0");
});

test("links to the releases where the server names them", async () => {
  server.info = { ...INFO, releases_url: "https://gitea.example.com/me/it/releases" };
  await open();
  const link = document.querySelector<HTMLAnchorElement>("#releases");
  expect(link?.hidden).toBe(false);
  expect(link?.href).toBe("https://gitea.example.com/me/it/releases");
});

test("asks at once when told to, and not twice at the same time", async () => {
  await open();
  await pass(1);
  server.questions = [];
  const button = document.querySelector<HTMLButtonElement>("#check");
  button?.click();
  button?.click();
  await pass(0);
  expect(server.questions).toEqual(["/health", "/system/info"]);
  await pass(4.9);
  expect(server.questions).toHaveLength(2);
  await pass(0.1);
  expect(server.questions).toHaveLength(4);
});

test("asks nothing while nobody sees the page, and at once when somebody does", async () => {
  await open();
  const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  await pass(60);
  server.questions = [];
  await pass(60);
  expect(server.questions).toEqual([]);

  hidden.mockReturnValue(false);
  document.dispatchEvent(new Event("visibilitychange"));
  await pass(0);
  expect(server.questions).toHaveLength(2);
});

test("writes nothing into the live region while nothing changes", async () => {
  await open();
  const changes: MutationRecord[] = [];
  const observer = new MutationObserver((records) => changes.push(...records));
  for (const region of document.querySelectorAll("[role=status]")) {
    observer.observe(region, { childList: true, subtree: true, characterData: true });
  }
  await pass(30);
  expect(changes).toEqual([]);
});
