import { expect, test } from "vitest";
import { formatDuration } from "../src/format.ts";

test.each([
  [-1, "0 s"],
  [0, "0 s"],
  [42.9, "42 s"],
  [60, "1 min 0 s"],
  [303, "5 min 3 s"],
  [12_000, "3 h 20 min"],
  [86_400, "1 d 0 h"],
  [90_061, "1 d 1 h"],
])("%d seconds are %s", (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});
