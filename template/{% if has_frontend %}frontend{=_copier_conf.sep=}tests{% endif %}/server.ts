/** A server for the tests: answers `fetch` as the real one does, and does what a test tells it to. */

import { vi } from "vitest";

export const INFO = {
  name: "Weather <b>Station</b>",
  version: "1.2.3",
  python: "3.13.1",
  platform: "Linux x86_64",
  uptime_seconds: 62.5,
};

export class FakeServer {
  ready = true;
  up = true;
  healthStatus = 200;
  info: unknown = INFO;
  questions: string[] = [];

  constructor() {
    vi.stubGlobal("fetch", (path: string) => this.answer(path));
  }

  private answer(path: string): Promise<Response> {
    this.questions.push(path);
    if (!this.up) {
      return Promise.reject(new TypeError("Failed to fetch"));
    }
    if (path === "/health") {
      const body = { status: "ok", version: "1.2.3", ready: this.ready };
      return Promise.resolve(Response.json(body, { status: this.healthStatus }));
    }
    return Promise.resolve(Response.json(this.info));
  }
}
