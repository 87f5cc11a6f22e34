/** Shows Markdown of strangers: headings, lists, quotes, code, emphasis and links become elements, all else is text. */

// Nothing here can become HTML: elements are made one by one, from a short list, with text in them. A link leads to the
// web only. An image becomes a link, so that reading notes tells no other host about it.

import { webAddress } from "./api.ts";
import { link, make } from "./elements.ts";

/** Longer notes are cut: nobody reads them here, and nobody shall wait for them. */
const LONGEST = 20_000;
/** How far elements nest, and how far an element within a line goes at most: both bound the work with hostile notes. */
const DEEPEST = 6;
const FARTHEST = 2000;

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*))?$/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?:( {1,4})(?! )|$| (?= ))/;
const BLANK = /^\s*$/;

/** Reads lines into elements. Headings begin at <h3> and never leave out a level, whatever the notes' levels are. */
class Reader {
  private readonly levels: number[] = [];

  blocks(lines: readonly string[], depth = 0): Node[] {
    const nodes: Node[] = [];
    let at = 0;
    const line = (): string => lines[at] ?? "";

    /** Takes lines as long as they belong to a block. */
    const take = (belongs: (text: string) => boolean): string[] => {
      const start = at;
      while (at < lines.length && belongs(line())) {
        at += 1;
      }
      return lines.slice(start, at);
    };

    while (at < lines.length) {
      const fence = FENCE.exec(line())?.[1];
      const heading = HEADING.exec(line());
      const item = ITEM.exec(line());
      if (BLANK.test(line())) {
        at += 1;
      } else if (fence !== undefined) {
        at += 1;
        const code = take((text) => !text.trim().startsWith(fence));
        at += 1;
        nodes.push(make("pre", { tabindex: "0" }, make("code", {}, code.join("\n"))));
      } else if (heading) {
        at += 1;
        const title = (heading[2] ?? "").replace(/[ \t]#+[ \t]*$/, "");
        nodes.push(make(this.headingTag(heading[1]?.length ?? 1), {}, ...inline(title)));
      } else if (RULE.test(line())) {
        at += 1;
        nodes.push(make("hr"));
      } else if (QUOTE.test(line()) && depth < DEEPEST) {
        const quoted = take((text) => QUOTE.test(text)).map((text) => text.replace(QUOTE, ""));
        nodes.push(make("blockquote", {}, ...this.blocks(quoted, depth + 1)));
      } else if (item && depth < DEEPEST) {
        nodes.push(this.list(lines, at, depth, item[2] ?? "-"));
        at = this.end;
      } else {
        const first = at;
        const text = take((next) => at === first || !(BLANK.test(next) || this.interrupts(next)));
        nodes.push(make("p", {}, ...inline(paragraph(text))));
      }
    }
    return nodes;
  }

  private end = 0;

  private list(lines: readonly string[], start: number, depth: number, marker: string): Node {
    const ordered = /\d/.test(marker);
    const kind = marker.slice(-1);
    const items: Node[] = [];
    let at = start;
    while (at < lines.length) {
      const found = ITEM.exec(lines[at] ?? "");
      if (found?.[2]?.slice(-1) !== kind || RULE.test(lines[at] ?? "")) {
        break;
      }
      const width = Math.max(found[0].length, (found[1]?.length ?? 0) + found[2].length + 1);
      const inner = [(lines[at] ?? "").slice(width)];
      at += 1;
      // What is indented belongs to the item, and lines of its paragraph that are not ("lazy" ones).
      while (at < lines.length) {
        const text = lines[at] ?? "";
        const indented = /^ */.exec(text)?.[0].length ?? 0;
        const lazy = !BLANK.test(inner.at(-1) ?? "") && !this.interrupts(text);
        if (!BLANK.test(text) && indented < Math.min(width, 2) && !lazy) {
          break;
        }
        inner.push(text.slice(Math.min(indented, width)));
        at += 1;
      }
      const content = this.blocks(inner, depth + 1);
      // A list of short items is closer together without a paragraph in each.
      const [only, ...others] = content;
      const tight =
        only instanceof HTMLParagraphElement && others.every((node) => !(node instanceof HTMLParagraphElement));
      items.push(make("li", {}, ...(tight ? [...only.childNodes, ...others] : content)));
    }
    this.end = at;
    const first = Number.parseInt(marker, 10);
    return ordered ? make("ol", { start: first === 1 ? null : String(first) }, ...items) : make("ul", {}, ...items);
  }

  private interrupts(text: string): boolean {
    return [FENCE, HEADING, RULE, QUOTE, ITEM].some((pattern) => pattern.test(text));
  }

  private headingTag(level: number): "h3" | "h4" | "h5" | "h6" {
    while ((this.levels.at(-1) ?? 0) >= level) {
      this.levels.pop();
    }
    this.levels.push(level);
    return (["h3", "h4", "h5", "h6"] as const)[this.levels.length - 1] ?? "h6";
  }
}

/** Lines of a paragraph as one text; a line that ends with two blanks ends with a backslash as well. */
function paragraph(lines: readonly string[]): string {
  const joined = lines.map((line, index) => {
    const breaks = line.endsWith("  ") && index < lines.length - 1;
    return line.trim() + (breaks ? "\\" : "");
  });
  return joined.join("\n");
}

/** The text without its HTML comments. */
function withoutComments(text: string): string {
  const kept: string[] = [];
  let at = 0;
  for (;;) {
    const start = text.indexOf("<!--", at);
    const end = start < 0 ? -1 : text.indexOf("-->", start);
    if (end < 0) {
      return kept.join("") + text.slice(at);
    }
    kept.push(text.slice(at, start));
    at = end + 3;
  }
}

/** What something within a line may begin with; all between is plain. */
const SPECIAL = /[\\`*_~[!<]|https?:\/\//g;
const ESCAPED = /^[!-/:-@[-`{-~]/;
const ADDRESS = /^https?:\/\/[^\s<>"]+/;
const AUTOLINK = /^<(https?:\/\/[^\s<>]{1,2000})>/;
const TARGET = /^\(\s*<?([^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*)>?(?:\s+(?:"[^"]{0,500}"|'[^']{0,500}'))?\s*\)/;
const TAGS = { "**": "strong", __: "strong", "~~": "del", "*": "em", _: "em" } as const;

/** The place of the `]` that belongs to the `[` at `start`, or -1. */
function closingBracket(text: string, start: number): number {
  let open = 0;
  for (let at = start; at < Math.min(text.length, start + 1000); at += 1) {
    if (text[at] === "\\") {
      at += 1;
    } else if (text[at] === "[") {
      open += 1;
    } else if (text[at] === "]") {
      open -= 1;
      if (open === 0) {
        return at;
      }
    }
  }
  return -1;
}

/** The element that begins at `start`, and where it ends; undefined where it is only text. */
function element(text: string, start: number, depth: number, before: string): [Node, number] | undefined {
  const rest = text.slice(start, start + FARTHEST);
  if (rest.startsWith("\\")) {
    if (rest.startsWith("\\\n")) {
      return [make("br"), start + 2];
    }
    return ESCAPED.test(rest.slice(1)) ? [document.createTextNode(rest.charAt(1)), start + 2] : undefined;
  }
  if (rest.startsWith("`")) {
    const ticks = /^`+/.exec(rest)?.[0] ?? "`";
    const end = rest.indexOf(ticks, ticks.length);
    const code = rest.slice(ticks.length, end).replace(/^ (.*\S.*) $/, "$1");
    return end < 0 ? undefined : [make("code", {}, code), start + end + ticks.length];
  }
  if (rest.startsWith("<")) {
    const address = AUTOLINK.exec(rest)?.[1];
    return address && webAddress(address) ? [link(address, address), start + address.length + 2] : undefined;
  }
  if (rest.startsWith("http")) {
    const address = ADDRESS.exec(rest)?.[0].replace(/[.,:;!?'*_~)\]]+$/, "");
    return address && webAddress(address) ? [link(address, address), start + address.length] : undefined;
  }
  if (rest.startsWith("[") || rest.startsWith("![")) {
    const open = rest.indexOf("[");
    const close = closingBracket(rest, open);
    const target = close < 0 ? null : TARGET.exec(rest.slice(close + 1));
    if (!target) {
      return undefined;
    }
    const label = rest.slice(open + 1, close);
    const address = webAddress(target[1] ?? "");
    const content = open === 1 ? [label || "image"] : inline(label, depth + 1, false);
    const end = start + close + 1 + target[0].length;
    return [address ? link(address, ...content) : make("span", {}, ...content), end];
  }
  for (const [mark, tag] of Object.entries(TAGS)) {
    if (rest.startsWith(mark) && /^[^\s*_~]|^[*_~]+\S/.test(rest.slice(mark.length))) {
      const inWord = mark.startsWith("_") && /\w/.test(before);
      let end = rest.indexOf(mark, mark.length + 1);
      // A single mark does not end at a double one, and never after a blank.
      while (end > 0 && (/\s/.test(rest.charAt(end - 1)) || (mark.length === 1 && rest[end + 1] === mark))) {
        end = rest.indexOf(mark, end + (rest[end + 1] === mark ? 2 : 1));
      }
      if (end > 0 && !inWord) {
        return [make(tag, {}, ...inline(rest.slice(mark.length, end), depth + 1)), start + end + mark.length];
      }
    }
  }
  return undefined;
}

function inline(text: string, depth = 0, links = true): Node[] {
  const nodes: Node[] = [];
  let plain = "";
  let at = 0;
  while (at < text.length) {
    SPECIAL.lastIndex = at;
    const next = depth < DEEPEST ? (SPECIAL.exec(text)?.index ?? text.length) : text.length;
    plain += text.slice(at, next);
    at = next;
    const found = at < text.length ? element(text, at, depth, text.charAt(at - 1)) : undefined;
    if (found && (links || !(found[0] instanceof HTMLAnchorElement))) {
      nodes.push(document.createTextNode(plain), found[0]);
      plain = "";
      at = found[1];
    } else {
      plain += text.charAt(at);
      at += 1;
    }
  }
  nodes.push(document.createTextNode(plain));
  return nodes.filter((node) => node.nodeType !== Node.TEXT_NODE || node.textContent !== "");
}

/** The elements that show this Markdown. */
export function renderMarkdown(text: string): DocumentFragment {
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)}\n\n…` : text;
  const lines = withoutComments(cut).replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n");
  const fragment = document.createDocumentFragment();
  fragment.append(...new Reader().blocks(lines));
  return fragment;
}
