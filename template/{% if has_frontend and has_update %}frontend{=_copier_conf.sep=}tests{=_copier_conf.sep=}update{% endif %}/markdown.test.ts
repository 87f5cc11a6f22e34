import { expect, test } from "vitest";
import { renderMarkdown } from "../../src/update/markdown.ts";

function html(markdown: string): string {
  const box = document.createElement("div");
  box.append(renderMarkdown(markdown));
  return box.innerHTML;
}

const LINK = 'rel="noopener noreferrer" target="_blank"';

test.each([
  ["plain\ntext", "<p>plain\ntext</p>"],
  ["one  \ntwo", "<p>one<br>two</p>"],
  ["# A\n### B\n## C\n# D", "<h3>A</h3><h4>B</h4><h4>C</h4><h3>D</h3>"],
  [
    "**bold**, *light*, _light_ and ~~gone~~",
    "<p><strong>bold</strong>, <em>light</em>, <em>light</em> and <del>gone</del></p>",
  ],
  ["**a *b* c**", "<p><strong>a <em>b</em> c</strong></p>"],
  ["2 * 3 * 4, snake_case_name, a ** b", "<p>2 * 3 * 4, snake_case_name, a ** b</p>"],
  ["`<b>` and ``a`b``", "<p><code>&lt;b&gt;</code> and <code>a`b</code></p>"],
  ["\\*not light\\*", "<p>*not light*</p>"],
  ["- one\n- two\n  - inner\n- three", "<ul><li>one</li><li>two<ul><li>inner</li></ul></li><li>three</li></ul>"],
  ["3. c\n4. d", '<ol start="3"><li>c</li><li>d</li></ol>'],
  ["- one\n\n  more", "<ul><li><p>one</p><p>more</p></li></ul>"],
  ["```sh\n# no heading\n```\nafter", '<pre tabindex="0"><code># no heading</code></pre><p>after</p>'],
  ["> said\n> so", "<blockquote><p>said\nso</p></blockquote>"],
  ["a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"],
  ["before<!-- hidden -->after", "<p>beforeafter</p>"],
  ["[page](https://a.example/b_(c))", `<p><a href="https://a.example/b_(c)" ${LINK}>page</a></p>`],
  ["see https://a.example/x.", `<p>see <a href="https://a.example/x" ${LINK}>https://a.example/x</a>.</p>`],
  ["![A picture](https://a.example/p.png)", `<p><a href="https://a.example/p.png" ${LINK}>A picture</a></p>`],
])("%j is %s", (markdown, expected) => {
  expect(html(markdown)).toBe(expected);
});

const HOSTILE = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](data:text/html,<script>alert(1)</script>)",
  "[x](//evil.example)",
  "![x](https://evil.example/pixel.png)",
  "![x](javascript:alert(1))",
  "<javascript:alert(1)>",
  '[x](https://a.example/" onmouseover="alert(1))',
  '[x](https://a.example "t" onclick=alert(1))',
  "# <svg onload=alert(1)>",
  "- <iframe src=https://evil.example>",
  "```\n</code></pre><script>alert(1)</script>\n```",
  "[![x](https://evil.example/i)](javascript:alert(1))",
  "<!-- <!-- --> <script>alert(1)</script>",
];
const ALLOWED = new Set("A BLOCKQUOTE BR CODE DEL EM H3 H4 H5 H6 HR LI OL P PRE SPAN STRONG UL".split(" "));

test.each(HOSTILE)("%j does nothing", (markdown) => {
  const box = document.createElement("div");
  box.innerHTML = html(markdown); // as a browser would read it again
  for (const element of box.querySelectorAll("*")) {
    expect(ALLOWED).toContain(element.tagName);
    for (const { name, value } of element.attributes) {
      expect(["href", "rel", "target", "start", "tabindex"]).toContain(name);
      expect(name !== "href" || /^https?:\/\//.test(value)).toBe(true);
    }
  }
});

// The processor's seconds: a busy runner takes many times longer, and that is not this code's fault.
declare const process: { cpuUsage: () => { user: number } };
const seconds = () => process.cpuUsage().user / 1e6;

test.each(["*", "**a ", "`", "[", "[a](", "![", "> ", "- ", "<!--", "_a *b ", "\\", "~~", "# ", "1. ", "* * ", "(("])(
  "a lot of %j is shown in time",
  (part) => {
    const start = seconds();
    html(part.repeat(60_000 / part.length));
    html(`${part}\n`.repeat(30_000 / part.length));
    expect(seconds() - start).toBeLessThan(5);
  },
  60_000,
);
