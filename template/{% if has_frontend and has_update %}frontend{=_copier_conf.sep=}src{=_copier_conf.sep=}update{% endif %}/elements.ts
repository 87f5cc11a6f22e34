/** Makes elements. Texts are only ever set as text, never as HTML. */

type Child = Node | string | null;

/** A new element with attributes (`true` is an attribute without value; `false` and null are none) and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | boolean | null> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function button(text: string, onClick: () => void, attributes: Record<string, string> = {}): HTMLButtonElement {
  const element = make("button", { type: "button", ...attributes }, text);
  element.addEventListener("click", onClick);
  return element;
}

/** A link that leaves the app. */
export function link(address: string, ...children: Child[]): HTMLAnchorElement {
  return make("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, ...children);
}

/** A point in time as people of this place and language write it. */
export function time(iso: string): HTMLElement {
  const date = new Date(iso);
  return Number.isNaN(date.getTime())
    ? make("span", {}, iso)
    : make(
        "time",
        { datetime: date.toISOString() },
        date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" }),
      );
}

/** Sets a text only where it changes: screen readers read a live region again at every write. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** Sets children only where their text changes, so that nothing is lost that somebody has just selected. */
export function setChildren(element: Element, children: Child[], key: string): void {
  if (element.getAttribute("data-shown") !== key) {
    element.setAttribute("data-shown", key);
    element.replaceChildren(...children.filter((child) => child !== null));
  }
}

const UNITS = ["B", "kB", "MB", "GB"];

/** An amount of data: `512 B`, `68 kB`, `4.2 MB`. */
export function formatSize(bytes: number): string {
  let amount = Math.max(0, bytes);
  let unit = 0;
  while (amount >= 999.5 && unit < UNITS.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${unit > 0 && amount < 9.95 ? amount.toFixed(1) : amount.toFixed(0)} ${UNITS[unit] ?? ""}`;
}

export interface Tabs {
  select: (index: number) => void;
}

/** Tabs as the ARIA Authoring Practices describe them: the arrow keys, Home and End choose; one tab is in the tab order. */
export function makeTabs(
  label: string,
  tabs: readonly (readonly [HTMLButtonElement, HTMLElement])[],
): HTMLElement & Tabs {
  const list = make("div", { role: "tablist", "aria-label": label, class: "update-tabs" });

  function select(index: number): void {
    tabs.forEach(([tab, panel], position) => {
      const selected = position === index;
      tab.setAttribute("aria-selected", String(selected));
      tab.tabIndex = selected ? 0 : -1;
      panel.hidden = !selected;
    });
    tabs[index]?.[1].dispatchEvent(new Event("shown"));
  }

  tabs.forEach(([tab, panel], index) => {
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => {
      select(index);
    });
    tab.addEventListener("keydown", (event) => {
      const moves: Record<string, number> = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: -1 };
      const move = moves[event.key];
      if (move !== undefined) {
        const next = (move + tabs.length) % tabs.length;
        event.preventDefault();
        select(next);
        tabs[next]?.[0].focus();
      }
    });
    list.append(tab);
  });
  select(0);
  return Object.assign(list, { select });
}
