import { beforeEach, expect, test, vi } from "vitest";
import { describeFailure, getHealth, getSystemInfo } from "../src/api.ts";
import { FakeServer, INFO } from "./server.ts";

let server: FakeServer;

beforeEach(() => {
  server = new FakeServer();
});

test("a good answer is read", async () => {
  expect(await getHealth()).toEqual({ version: "1.2.3", ready: true });
  expect(await getSystemInfo()).toEqual({
    name: INFO.name,
    version: "1.2.3",
    python: "3.13.1",
    platform: "Linux x86_64",
    uptimeSeconds: 62.5,
  });
});

test("503 is an answer, another error is none", async () => {
  server.ready = false;
  server.healthStatus = 503;
  expect((await getHealth()).ready).toBe(false);
  server.healthStatus = 500;
  await expect(getHealth()).rejects.toThrow("unexpected answer to /health: status 500.");
});

test.each([
  [null, "it is no object"],
  [{ ...INFO, version: undefined }, '"version" is not a text'],
  [{ ...INFO, uptime_seconds: "62" }, '"uptime_seconds" is not a number'],
  [{ ...INFO, releases_url: "javascript:alert(1)" }, '"releases_url" is not a web address'],
  [{ ...INFO, releases_url: "https://" }, '"releases_url" is not a web address'],
])("%j is refused", async (info, problem) => {
  server.info = info;
  await expect(getSystemInfo()).rejects.toThrow(problem);
});

test("an answer that is no JSON is refused", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(new Response("<html>")));
  await expect(getHealth()).rejects.toThrow("it is no JSON");
});

test("a failure is described in a sentence", () => {
  expect(describeFailure(new TypeError("Failed to fetch"))).toBe("No answer from the server.");
  expect(describeFailure(new DOMException("", "TimeoutError"))).toBe("No answer from the server within 5 seconds.");
});
