/** PURE: numbers and times as people read them. What is not known is a dash, never zero. */

/** What stands for what is not known. */
export const UNKNOWN = '–';

/** `412 ms`, `17.1 s`, `2 min 5 s`, `1 h 20 min`. */
export function duration(ms: number | null): string {
  if (ms === null) return UNKNOWN;
  if (ms < 1_000) return `${rounded(ms, 0)} ms`;
  if (ms < 60_000) return `${rounded(ms / 1_000, ms < 10_000 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return joined([Math.floor(seconds / 60), 'min'], [seconds % 60, 's']);
  const minutes = Math.round(seconds / 60);
  return joined([Math.floor(minutes / 60), 'h'], [minutes % 60, 'min']);
}

function joined(...parts: readonly (readonly [number, string])[]): string {
  return parts.flatMap(([amount, unit], index) => (amount === 0 && index > 0 ? [] : [`${amount} ${unit}`])).join(' ');
}

/** `12,345` with at most so many digits after the point. */
export function number(value: number | null, digits = 0): string {
  return value === null ? UNKNOWN : rounded(value, digits);
}

/** `0.004 %`: three digits where it is small. */
export function percent(value: number | null): string {
  if (value === null) return UNKNOWN;
  return `${rounded(value, value !== 0 && Math.abs(value) < 1 ? 3 : 1)} %`;
}

function rounded(value: number, digits: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}

/** `2026-03-10 09:00:57.061 UTC`. */
export function instant(at: string): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? at : `${date.toISOString().slice(0, 23).replace('T', ' ')} UTC`;
}

/** `09:00:57.061`. */
export function clock(at: string): string {
  return instant(at).slice(11, 23);
}

/** A value that is measured in this unit. */
export function measured(value: number | null, unit: 'ms' | '%'): string {
  return unit === 'ms' ? duration(value) : percent(value);
}
