import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { libraryError } from "../../core/errors.ts";
import { shown } from "../../core/faults.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";
import { callInOwnContext } from "../../core/foreign/own-context.ts";
import { whenRejected } from "../../core/foreign/thenable.ts";
import { hostNameOf } from "../../core/net/host-name.ts";
import { readTarget } from "../../core/net/request-target.ts";

/**
 * Which web pages may connect. "same_host": pages of the host that the request names. A list has entries
 * `https://app.example.com` (scheme, host and port), `//app.example.com` (any scheme and, unless it names one, any
 * port) or `//*.example.com` (the host and all hosts below it); also `chrome-extension://id` and the like, `file://`,
 * and `null`, the origin that pages without one send. "any" admits every page.
 *
 * A function decides synchronously: only `true` admits the page. Any other result, or a throw, refuses it.
 */
export type AllowedOrigins =
  | "same_host"
  | "any"
  | readonly string[]
  | ((origin: string, request: IncomingMessage) => boolean);

/** Whether a request may connect. Throws if the host's own function gives no answer. */
export type OriginRule = (request: IncomingMessage) => boolean;

type OriginMatcher = (origin: PageOrigin) => boolean;

/** An origin as browsers send it. */
interface PageOrigin {
  /** With its colon; null for "null", and for list entries that allow any. */
  readonly scheme: string | null;
  readonly host: string;
  /** The scheme's default if it names none, "" for a scheme without ports; null for list entries that allow any. */
  readonly port: string | null;
}

// Scheme, wildcard, host and port.
const originPattern = /^(?:([a-z][a-z\d+.-]*:))?\/\/(\*\.)?([^/?#@\\*\s]*)$/i;

/** Schemes to which a client connects but from which no page can come. */
const socketSchemes: ReadonlySet<string> = new Set(["ws:", "wss:"]);

/**
 * Makes the rule for pages that may connect (Phoenix's check_origin). Programs other than browsers send no origin and
 * may always connect.
 *
 * @throws GenApiError `invalid_option` for a listed origin that no page could have
 */
export function originRule(allowed: AllowedOrigins): OriginRule {
  const isAllowed = pageRule(allowed);
  return (request) => {
    const { origin: origins = [] } = request.headersDistinct;
    const [origin, ...more] = origins;
    if (origin === undefined) return true;
    return more.length === 0 && isAllowed(origin, request);
  };
}

/** Every fault of the option `allowedOrigins`; none for a valid one. */
export function checkAllowedOrigins(value: unknown): string[] {
  if (value === "any" || value === "same_host" || typeof value === "function") return [];
  if (!Array.isArray(value)) {
    return [`must be "same_host", "any", a list of origins or a function, got ${shown(value)}`];
  }
  return value.flatMap((entry, place) =>
    typeof entry === "string" && matcherOf(entry) !== undefined
      ? []
      : [`[${place}] must be an origin such as "https://a.example", "//*.a.example" or "null", got ${shown(entry)}`],
  );
}

function pageRule(allowed: AllowedOrigins): (origin: string, request: IncomingMessage) => boolean {
  if (allowed === "any") return () => true;
  if (allowed === "same_host") return isSameHost;
  if (typeof allowed === "function") return (origin, request) => answerOf(callInOwnContext(allowed, [origin, request]));
  const matchers = allowed.map((entry) => {
    const matcher = matcherOf(entry);
    if (matcher !== undefined) return matcher;
    const given = JSON.stringify(entry);
    throw libraryError("invalid_option", `allowedOrigins must list origins such as "https://a.example", got ${given}`);
  });
  return (text) => {
    const origin = readOrigin(text);
    return origin !== undefined && !origin.host.startsWith("*") && matchers.some((isMatch) => isMatch(origin));
  };
}

function answerOf(answer: unknown): boolean {
  if (typeof answer === "boolean") return answer;
  whenRejected(answer);
  hearPromises(answer);
  throw libraryError("invalid_option", `allowedOrigins must return true or false, got ${shown(answer)}`);
}

function isSameHost(text: string, { headers, url }: IncomingMessage): boolean {
  const host = readTarget(url).authority ?? headers.host;
  const origin = readOrigin(text);
  if (origin?.scheme == null || hostNameOf(host) === null) return false;
  // A proxy may change the scheme, but the scheme decides which port is meant if none is named.
  const own = readOrigin(`${origin.scheme}//${host}`);
  return own !== undefined && own.host === origin.host && own.port === origin.port;
}

function matcherOf(entry: string): OriginMatcher | undefined {
  const wanted = readOrigin(entry);
  if (wanted === undefined || (wanted.scheme !== null && socketSchemes.has(wanted.scheme))) return undefined;
  const isBelow = wanted.host.startsWith("*.") ? wanted.host.slice(1) : undefined;
  const host = isBelow?.slice(1) ?? wanted.host;
  const isNull = entry.toLowerCase() === "null";
  return (origin) =>
    (origin.host === host || (isBelow !== undefined && origin.host.endsWith(isBelow))) &&
    (isNull ? origin.scheme === null : origin.scheme !== null) &&
    (wanted.scheme === null || origin.scheme === wanted.scheme) &&
    (wanted.port === null || origin.port === wanted.port);
}

/**
 * The parts of an origin, or of a list entry; undefined for anything else. Host names are in the notation of browsers:
 * xn--…
 */
function readOrigin(text: string): PageOrigin | undefined {
  if (text.toLowerCase() === "null") return { scheme: null, host: "", port: "" };
  const [, scheme = null, wildcard = "", authority = ""] = originPattern.exec(text) ?? [];
  if (!originPattern.test(text) || authority.endsWith(":")) return undefined;
  if (authority === "") {
    return scheme?.toLowerCase() === "file:" && wildcard === "" ? { scheme: "file:", host: "", port: "" } : undefined;
  }
  const url = `${scheme ?? "http:"}//${authority}`;
  if (!URL.canParse(url)) return undefined;
  const { protocol, hostname } = new URL(url);
  if (hostname === "" || (wildcard !== "" && isIP(hostname.replace(/^\[(.*)\]$/, "$1")) !== 0)) return undefined;
  const port = /:(\d+)$/.exec(authority)?.[1];
  return {
    scheme: scheme === null ? null : protocol,
    host: `${wildcard}${hostname.toLowerCase()}`,
    port: port === undefined ? (scheme === null ? null : defaultPort(protocol)) : String(Number(port)),
  };
}

function defaultPort(protocol: string): string {
  if (protocol === "https:") return "443";
  return protocol === "http:" ? "80" : "";
}
