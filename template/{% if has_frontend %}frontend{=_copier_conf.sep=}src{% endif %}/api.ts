/** What the server says about itself. Answers are checked here, so that the rest of the page can trust its types. */

export interface Health {
  version: string;
  ready: boolean;
}

export interface SystemInfo {
  name: string;
  version: string;
  python: string;
  platform: string;
  uptimeSeconds: number;
  releasesUrl?: string;
}

/** How long an answer may take before the server counts as unreachable. */
const TIMEOUT_MS = 5_000;

class UnexpectedAnswer extends Error {
  constructor(path: string, problem: string) {
    super(`The server gave an unexpected answer to ${path}: ${problem}.`);
  }
}

class Answer {
  private readonly path: string;
  private readonly fields: Record<string, unknown>;

  constructor(path: string, body: unknown) {
    if (typeof body !== "object" || body === null) {
      throw new UnexpectedAnswer(path, "it is no object");
    }
    this.path = path;
    this.fields = body as Record<string, unknown>;
  }

  has(field: string): boolean {
    return this.fields[field] !== undefined && this.fields[field] !== null;
  }

  text(field: string): string {
    const value = this.fields[field];
    return typeof value === "string" ? value : this.reject(field, "a text");
  }

  number(field: string): number {
    const value = this.fields[field];
    return typeof value === "number" ? value : this.reject(field, "a number");
  }

  boolean(field: string): boolean {
    const value = this.fields[field];
    return typeof value === "boolean" ? value : this.reject(field, "true or false");
  }

  /** An address that is safe in a link: never `javascript:` or the like. */
  webAddress(field: string): string {
    const value = this.text(field);
    return /^https?:\/\//i.test(value) && URL.canParse(value) ? value : this.reject(field, "a web address");
  }

  private reject(field: string, wanted: string): never {
    throw new UnexpectedAnswer(this.path, `"${field}" is not ${wanted}`);
  }
}

async function ask(path: string): Promise<Answer> {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
  // A server that is still starting may say so with 503, in the same words.
  if (!response.ok && response.status !== 503) {
    throw new UnexpectedAnswer(path, `status ${response.status}`);
  }
  let body: unknown;
  try {
    body = await response.json();
  } catch {
    throw new UnexpectedAnswer(path, "it is no JSON");
  }
  return new Answer(path, body);
}

export async function getHealth(): Promise<Health> {
  const answer = await ask("/health");
  return { version: answer.text("version"), ready: answer.boolean("ready") };
}

export async function getSystemInfo(): Promise<SystemInfo> {
  const answer = await ask("/system/info");
  return {
    name: answer.text("name"),
    version: answer.text("version"),
    python: answer.text("python"),
    platform: answer.text("platform"),
    uptimeSeconds: answer.number("uptime_seconds"),
    ...(answer.has("releases_url") && { releasesUrl: answer.webAddress("releases_url") }),
  };
}

/** One sentence for people about why a question to the server failed. */
export function describeFailure(error: unknown): string {
  if (error instanceof UnexpectedAnswer) {
    return error.message;
  }
  return error instanceof DOMException && error.name === "TimeoutError"
    ? `No answer from the server within ${TIMEOUT_MS / 1000} seconds.`
    : "No answer from the server.";
}
