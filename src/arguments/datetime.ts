// ISO 8601's extended format. A space for the T, a comma for the point and lower case are allowed by ISO 8601 or by RFC
// 3339; the seconds may be left out.
const pattern = /^(\d{4})-(\d\d)-(\d\d)[t ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:(z)|([+-])(\d\d)(?::?(\d\d))?)?$/i;

/** The most characters of a date and time. */
export const longestDatetime = 64;

// The same as regular expressions of JSON Schema, which have no flags: all but the days that a month does not have.
const written =
  "^\\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])[Tt ](?:[01]\\d|2[0-3]):[0-5]\\d(?::[0-5]\\d(?:[.,]\\d+)?)?";
const offset = "(?:[Zz]|[+-](?:[01]\\d|2[0-3])(?::?[0-5]\\d)?)";

/** What a date and time with an offset looks like. */
export const datetimePattern = `${written}${offset}$`;

/** What a date and time looks like, with an offset or without. */
export const naiveDatetimePattern = `${written}${offset}?$`;

/** An ISO 8601 date and time as written: the instant it would be in UTC, and its offset if it has one. */
interface WrittenDatetime {
  /** Milliseconds since 1970, as if the time were UTC. */
  readonly asUtc: number;
  /** Milliseconds ahead of UTC, or null without a written offset. */
  readonly offset: number | null;
  /** The text without the offset. */
  readonly naive: string;
}

/**
 * Parses an ISO 8601 date and time with an offset or Z. Digits of the fraction beyond milliseconds are dropped, since a
 * Date cannot hold them.
 *
 * @returns null if it is invalid, has no offset, or names a day or time that does not exist
 */
export function parseDatetime(text: string): Date | null {
  const written = read(text);
  return written === null || written.offset === null ? null : new Date(written.asUtc - written.offset);
}

/**
 * Parses an ISO 8601 date and time, ignoring its offset.
 *
 * @returns the text without its offset; null if it is invalid or names a day or time that does not exist
 */
export function parseNaiveDatetime(text: string): string | null {
  return read(text)?.naive ?? null;
}

function read(text: string): WrittenDatetime | null {
  const match = text.length <= longestDatetime ? pattern.exec(text) : null;
  if (match === null) return null;
  const [, year, month, day, hour, minute, second = "0", fraction = "", z, sign, offsetHour, offsetMinute = "0"] =
    match;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  if (Number(offsetHour ?? "0") > 23 || Number(offsetMinute) > 59) return null;
  const date = new Date(0);
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  // A day that does not exist, such as 30 February or 0 March, falls into another month.
  if (date.getUTCMonth() !== Number(month) - 1) return null;
  const asUtc = date.setUTCHours(
    Number(hour),
    Number(minute),
    Number(second),
    Number(fraction.padEnd(3, "0").slice(0, 3)),
  );
  if (z !== undefined) return { asUtc, offset: 0, naive: text.slice(0, -1) };
  if (sign === undefined) return { asUtc, offset: null, naive: text };
  const ahead = (Number(offsetHour) * 60 + Number(offsetMinute)) * 60_000;
  return { asUtc, offset: sign === "-" ? -ahead : ahead, naive: text.slice(0, text.lastIndexOf(sign)) };
}
