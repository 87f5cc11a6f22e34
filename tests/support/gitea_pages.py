"""The pages of a Gitea as a person uses them: links and buttons are found by what is written on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx2


@dataclass
class Form:
    """A form, with what it sends when nobody changes anything."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[Element] = field(default_factory=list)


@dataclass
class Element:
    """A link or a button."""

    attributes: dict[str, str]
    form: Form
    text: str = ""

    def reads(self, text: str) -> bool:
        return text in {" ".join(self.text.split()), self.attributes.get("data-tooltip-content")}


class Reader(HTMLParser):
    """Collects links and forms."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[Element] = []
        self.forms: list[Form] = []
        self.form = Form()  # of what is in none
        self.texts: list[Element] = []  # open elements that collect text
        self.area = self.select = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        name, value = attributes.get("name", ""), attributes.get("value", "")
        if tag == "form":
            self.form = Form(attributes.get("action", ""))
            self.forms.append(self.form)
        elif tag == "a" or tag == "button":
            element = Element(attributes, self.form)
            (self.links if tag == "a" else self.form.buttons).append(element)
            self.texts.append(element)
        elif tag == "textarea":
            self.area = name
            self.form.fields[name] = ""
        elif tag == "select":
            self.select = name
        elif tag == "option" and self.select and ("selected" in attributes or self.select not in self.form.fields):
            self.form.fields[self.select] = value
        elif tag == "input" and name:
            if attributes.get("type") not in {"checkbox", "radio"}:
                self.form.fields[name] = value
            elif "checked" in attributes:
                self.form.fields[name] = value or "on"

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.form = Form()
        elif tag in {"a", "button"} and self.texts:
            self.texts.pop()
        elif tag == "textarea":
            # The first line end after the tag belongs to the markup.
            self.form.fields[self.area] = self.form.fields[self.area].removeprefix("\n")
            self.area = ""
        elif tag == "select":
            self.select = ""

    def handle_data(self, data: str) -> None:
        if self.area:
            self.form.fields[self.area] += data
        elif self.texts:
            self.texts[-1].text += data


class Page:
    """A page that somebody who is logged in has before them."""

    def __init__(self, browser: httpx2.Client, response: httpx2.Response) -> None:
        assert response.is_success, f"{response.request.url}: {response.status_code}"
        self.browser = browser
        self.url = response.url
        self.text = response.text
        self.reader = Reader(response.text)

    @classmethod
    def open(cls, browser: httpx2.Client, url: str) -> Page:
        return cls(browser, browser.get(url, follow_redirects=True))

    def follow(self, text: str) -> Page:
        """Click on the first link that reads so, or whose tooltip does."""
        found = [link for link in self.reader.links if link.reads(text)]
        assert found, f"{self.url}: no link {text!r}"
        return self.open(self.browser, str(self.url.join(found[0].attributes["href"])))

    def press(self, text: str, **changed: str) -> Page:
        """Press the button that reads so, after changes to fields of its form."""
        found = [button for form in self.reader.forms for button in form.buttons if button.reads(text)]
        assert len(found) == 1, f"{self.url}: {len(found)} buttons {text!r}"
        form = found[0].form
        assert changed.keys() <= form.fields.keys(), f"{self.url}: the form has {sorted(form.fields)}"
        own = found[0].attributes
        sent = {**form.fields, **changed, **({own["name"]: own.get("value", "")} if "name" in own else {})}
        url = str(self.url.join(form.action or str(self.url)))
        return Page(self.browser, self.browser.post(url, data=sent, follow_redirects=True))

    def downloads(self) -> list[str]:
        """Give the addresses of what can be downloaded from here."""
        return [
            str(self.url.join(link.attributes["href"])) for link in self.reader.links if "download" in link.attributes
        ]
