// Shows name, version and live status of the server. Texts of the server are only ever set as text, never as HTML.

const WORDS = { starting: "Starting", ready: "Ready", unreachable: "Unreachable" };
const DETAILS = { starting: "The server is answering, but not ready yet.", ready: "The server is up and answering." };
const PAUSE = { starting: 2, ready: 5, unreachable: 2 }; // seconds until the next question
const TIMEOUT = 5; // seconds until a server without an answer counts as unreachable
const UNITS = { d: 86400, h: 3600, min: 60, s: 1 };

const find = (id) => document.getElementById(id);
let startedAt;
let timer;
let running;

/** Sets a text only where it changes: screen readers read a live region again at every write. */
function setText(id, text) {
  if (find(id).textContent !== text) find(id).textContent = text;
}

/** A length of time in its two largest units: `42 s`, `5 min 3 s`, `3 h 20 min`, `2 d 0 h`. */
function formatDuration(seconds) {
  let rest = Math.max(0, Math.floor(seconds));
  const parts = [];
  for (const [unit, size] of Object.entries(UNITS)) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0 || parts.length > 0) parts.push(`${amount} ${unit}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

function showUptime() {
  setText("uptime", startedAt === undefined ? "–" : formatDuration((Date.now() - startedAt) / 1000));
}

function showStatus(status, detail) {
  const now = new Date();
  document.documentElement.dataset.status = status;
  setText("status", WORDS[status]);
  setText("detail", detail);
  find("checked").dateTime = now.toISOString();
  find("checked").textContent = now.toLocaleTimeString();
  showUptime();
}

function showInfo(info) {
  startedAt = Date.now() - info.uptime_seconds * 1000;
  document.title = info.name;
  for (const id of ["name", "version", "python", "platform"]) setText(id, info[id]);
  const releases = find("releases");
  releases.hidden = !/^https?:\/\//i.test(info.releases_url ?? "");
  releases.href = releases.hidden ? "" : info.releases_url;
}

class UnexpectedAnswer extends Error {
  constructor(path, problem) {
    super(`The server gave an unexpected answer to ${path}: ${problem}.`);
  }
}

async function ask(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT * 1000) });
  // A server that is still starting may say so with 503, in the same words.
  if (!response.ok && response.status !== 503) throw new UnexpectedAnswer(path, `status ${response.status}`);
  try {
    return await response.json();
  } catch {
    throw new UnexpectedAnswer(path, "it is no JSON");
  }
}

async function askAndShow() {
  clearTimeout(timer);
  let status = "unreachable";
  try {
    const [health, info] = await Promise.all([ask("/health"), ask("/system/info")]);
    status = health.ready ? "ready" : "starting";
    showInfo(info);
    showStatus(status, DETAILS[status]);
  } catch (error) {
    startedAt = undefined; // all the rest is still the last thing known
    const reason = error instanceof UnexpectedAnswer ? error.message : "No answer from the server.";
    showStatus(status, `${reason} Trying again every ${PAUSE[status]} seconds.`);
  }
  running = undefined;
  // A page that nobody sees asks nothing; it asks as soon as it is seen again.
  if (!document.hidden) timer = setTimeout(check, PAUSE[status] * 1000);
}

/** Asks at once; a question that is already on its way is not asked twice. */
function check() {
  running ??= askAndShow();
}

function checkWhenVisible() {
  if (!document.hidden) check();
}

find("check").addEventListener("click", check);
document.addEventListener("visibilitychange", checkWhenVisible);
window.addEventListener("online", checkWhenVisible);
setInterval(showUptime, 1000);
check();
