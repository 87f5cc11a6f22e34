/** What the server says about updates (`/system/update`), and what it can be asked to do. Answers are checked here. */

export type State = "idle" | "checking" | "update_available" | "downloading" | "applying" | "error";
export type Outcome = "updated" | "rolled_back" | "failed";

export interface Release {
  version: string;
  name: string;
  notes: string;
  prerelease: boolean;
  publishedAt: string;
  pageUrl: string | null;
  size: number | null;
}

export interface HistoryEntry {
  version: string;
  fromVersion: string;
  outcome: Outcome;
  at: string;
  message: string;
}

export interface Status {
  state: State;
  currentVersion: string;
  installType: string;
  canAutoUpdate: boolean;
  reason: string | null;
  release: Release | null;
  dismissed: boolean;
  progress: { received: number; total: number; bytesPerSecond: number } | null;
  error: { message: string; wayOut: string } | null;
  checkedAt: string | null;
  confirmedAt: string | null;
  onNextStart: string | null;
  releasesUrl: string | null;
  image: { name: string; commands: string[] } | null;
  last: HistoryEntry | null;
}

export interface Settings {
  enabled: boolean;
  check_interval_hours: number;
  include_prerelease: boolean;
}

export type When = "now" | "next_start";

const PATH = "/system/update";
const TIMEOUT_MS = 5_000;
const STATES: readonly State[] = ["idle", "checking", "update_available", "downloading", "applying", "error"];
const OUTCOMES: readonly Outcome[] = ["updated", "rolled_back", "failed"];

/** What the server refused, or what makes no sense in its answer. Its message is for people. */
export class AnswerError extends Error {}

class Fields {
  private readonly values: Record<string, unknown>;

  constructor(value: unknown) {
    if (typeof value !== "object" || value === null) {
      throw new AnswerError("The server's answer about updates is no object.");
    }
    this.values = value as Record<string, unknown>;
  }

  text(name: string): string {
    const value = this.values[name];
    return typeof value === "string" ? value : this.reject(name);
  }

  number(name: string): number {
    const value = this.values[name];
    return typeof value === "number" ? value : this.reject(name);
  }

  boolean(name: string): boolean {
    const value = this.values[name];
    return typeof value === "boolean" ? value : this.reject(name);
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T {
    return choices.find((choice) => choice === this.values[name]) ?? this.reject(name);
  }

  texts(name: string): string[] {
    const value = this.values[name];
    return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : this.reject(name);
  }

  optional<T>(name: string, read: (name: string) => T): T | null {
    return this.values[name] === undefined || this.values[name] === null ? null : read(name);
  }

  part(name: string): Fields {
    return new Fields(this.values[name]);
  }

  /** An address that is safe in a link, never `javascript:` or the like; otherwise there is no link. */
  webAddress(name: string): string | null {
    return this.optional(name, () => webAddress(this.text(name)));
  }

  private reject(name: string): never {
    throw new AnswerError(`The server's answer about updates makes no sense: "${name}".`);
  }
}

/** The address where it is one of the web, else null. */
export function webAddress(text: string): string | null {
  return /^https?:\/\//i.test(text) && URL.canParse(text) ? text : null;
}

function readRelease(fields: Fields): Release {
  return {
    version: fields.text("version"),
    name: fields.text("name"),
    notes: fields.text("notes"),
    prerelease: fields.boolean("prerelease"),
    publishedAt: fields.text("published_at"),
    pageUrl: fields.webAddress("page_url"),
    size: fields.optional("size", () => fields.number("size")),
  };
}

function readEntry(fields: Fields): HistoryEntry {
  return {
    version: fields.text("version"),
    fromVersion: fields.text("from_version"),
    outcome: fields.oneOf("outcome", OUTCOMES),
    at: fields.text("at"),
    message: fields.optional("message", () => fields.text("message")) ?? "",
  };
}

export function readStatus(body: unknown): Status {
  const fields = new Fields(body);
  return {
    state: fields.oneOf("state", STATES),
    currentVersion: fields.text("current_version"),
    installType: fields.text("install_type"),
    canAutoUpdate: fields.boolean("can_auto_update"),
    reason: fields.optional("reason", () => fields.text("reason")),
    release: fields.optional("release", () => readRelease(fields.part("release"))),
    dismissed: fields.boolean("dismissed"),
    progress: fields.optional("progress", () => {
      const part = fields.part("progress");
      return {
        received: part.number("received"),
        total: part.number("total"),
        bytesPerSecond: part.number("bytes_per_second"),
      };
    }),
    error: fields.optional("error", () => {
      const part = fields.part("error");
      return { message: part.text("message"), wayOut: part.optional("way_out", () => part.text("way_out")) ?? "" };
    }),
    checkedAt: fields.optional("checked_at", () => fields.text("checked_at")),
    confirmedAt: fields.optional("confirmed_at", () => fields.text("confirmed_at")),
    onNextStart: fields.optional("on_next_start", () => fields.text("on_next_start")),
    releasesUrl: fields.webAddress("releases_url"),
    image: fields.optional("image", () => {
      const part = fields.part("image");
      return { name: part.text("name"), commands: part.texts("commands") };
    }),
    last: fields.optional("last", () => readEntry(fields.part("last"))),
  };
}

function readSettings(body: unknown): Settings {
  const fields = new Fields(body);
  return {
    enabled: fields.boolean("enabled"),
    check_interval_hours: fields.number("check_interval_hours"),
    include_prerelease: fields.boolean("include_prerelease"),
  };
}

async function send(method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(PATH + path, {
    method,
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(body && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
  });
  const text = await response.text();
  let answer: unknown;
  try {
    answer = text === "" ? null : JSON.parse(text);
  } catch {
    throw new AnswerError(`The server's answer about updates is no JSON (status ${response.status}).`);
  }
  if (!response.ok) {
    const detail = typeof answer === "object" && answer !== null && "detail" in answer ? answer.detail : undefined;
    throw new AnswerError(typeof detail === "string" ? detail : `The server refused, with status ${response.status}.`);
  }
  return answer;
}

export async function getStatus(): Promise<Status> {
  return readStatus(await send("GET", "/status"));
}

export async function getSettings(): Promise<Settings> {
  return readSettings(await send("GET", "/settings"));
}

export async function saveSettings(settings: Settings): Promise<void> {
  await send("PUT", "/settings", settings);
}

export async function getHistory(): Promise<HistoryEntry[]> {
  const answer = await send("GET", "/history");
  if (!Array.isArray(answer)) {
    throw new AnswerError("The server's history of updates is no list.");
  }
  return answer.map((entry: unknown) => readEntry(new Fields(entry)));
}

export async function check(): Promise<void> {
  await send("POST", "/check", {});
}

export async function dismiss(version: string): Promise<void> {
  await send("POST", "/dismiss", { version });
}

export async function apply(version: string, when: When): Promise<void> {
  await send("POST", "/apply", { version, when });
}

export async function cancel(): Promise<void> {
  await send("POST", "/cancel", {});
}

/** One sentence for people about why a question to the server failed. */
export function describeFailure(error: unknown): string {
  return error instanceof AnswerError ? error.message : "No answer from the server.";
}

/** The address of the events. */
export function eventsAddress(): string {
  const address = new URL(`${PATH}/events`, location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}
