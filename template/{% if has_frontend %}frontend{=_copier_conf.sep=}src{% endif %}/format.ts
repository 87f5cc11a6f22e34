const UNITS = [
  { name: "d", seconds: 86_400 },
  { name: "h", seconds: 3_600 },
  { name: "min", seconds: 60 },
  { name: "s", seconds: 1 },
];

/** A length of time in its two largest units: `42 s`, `5 min 3 s`, `3 h 20 min`, `2 d 0 h`. */
export function formatDuration(seconds: number): string {
  let rest = Math.max(0, Math.floor(seconds));
  const parts: string[] = [];
  for (const unit of UNITS) {
    const amount = Math.floor(rest / unit.seconds);
    rest -= amount * unit.seconds;
    if (amount > 0 || parts.length > 0) {
      parts.push(`${amount} ${unit.name}`);
    }
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}
