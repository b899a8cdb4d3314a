import { libraryError } from "../core/errors.ts";
import { shown } from "../core/faults.ts";

/**
 * Which web pages may connect. "same_host": those that came from the host that the request names. A list holds
 * `https://app.example.com` (scheme, host and port), `//app.example.com` (any scheme and, unless one is named, port)
 * or `//*.example.com` (the host and all below it). "any" admits every page.
 */
export type AllowedOrigins = "same_host" | "any" | readonly string[];

// Scheme, wildcard, host, port.
const originPattern = /^([a-z]+:)?\/\/(\*\.)?([^/:*]+|\[[^\]/]+\])(?::(\d+))?$/i;

/** Whether a request with these headers may connect. */
export type OriginRule = (origin: string | undefined, host: string | undefined) => boolean;

/**
 * Makes the rule for the pages that may connect (Phoenix's check_origin). Programs that are no browsers send no origin
 * and always may.
 *
 * @throws GenApiError `invalid_option` for a listed origin that no page could have
 */
export function originRule(allowed: AllowedOrigins): OriginRule {
  const matches = allowed === "any" || allowed === "same_host" ? [] : allowed.map(originMatcher);
  return (origin, host) => {
    if (origin === undefined || allowed === "any") return true;
    if (!URL.canParse(origin)) return false;
    const url = new URL(origin);
    if (allowed !== "same_host") return matches.some((isMatch) => isMatch(url));
    const own = `${url.protocol}//${host}`;
    return host !== undefined && URL.canParse(own) && new URL(own).host === url.host;
  };
}

/** Every fault of the option `allowedOrigins`; none for a usable one. */
export function checkAllowedOrigins(value: unknown): string[] {
  if (value === "any" || value === "same_host") return [];
  if (!Array.isArray(value)) return [`must be "same_host", "any" or a list of origins, got ${shown(value)}`];
  return value.flatMap((pattern, place) =>
    typeof pattern === "string" && originPattern.test(pattern)
      ? []
      : [`[${place}] must be an origin such as "https://a.example", got ${shown(pattern)}`],
  );
}

function originMatcher(pattern: string): (origin: URL) => boolean {
  const parts = originPattern.exec(pattern.toLowerCase());
  if (parts === null) {
    const given = JSON.stringify(pattern);
    throw libraryError("invalid_option", `allowedOrigins must list origins such as "https://a.example", got ${given}`);
  }
  const [, scheme, wildcard, host, port] = parts;
  // `https://a` means its scheme's port, `//a` any.
  const wanted = port ?? (scheme === undefined ? undefined : defaultPort(scheme));
  return ({ protocol, hostname, port: its }) =>
    (hostname === host || (wildcard !== undefined && hostname.endsWith(`.${host}`))) &&
    (scheme === undefined || protocol === scheme) &&
    (wanted === undefined || (its || defaultPort(protocol)) === wanted);
}

function defaultPort(protocol: string): string {
  return protocol === "https:" ? "443" : "80";
}
