/**
 * Which web pages may connect. "same_host": those that came from the host that the request names. A list holds
 * `https://app.example.com` (scheme, host and port), `//app.example.com` (any scheme and, unless one is named, port)
 * or `//*.example.com` (the host and all below it). "any" admits every page.
 */
export type AllowedOrigins = "same_host" | "any" | readonly string[];

/**
 * Whether a request with this `Origin` may connect (Phoenix's check_origin). Programs that are no browsers send none
 * and may.
 */
export function isOriginAllowed(
  origin: string | undefined,
  host: string | undefined,
  allowed: AllowedOrigins,
): boolean {
  if (origin === undefined || allowed === "any") return true;
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  if (allowed !== "same_host") return allowed.some((pattern) => matchesOrigin(url, pattern));
  const own = `${url.protocol}//${host}`;
  return host !== undefined && URL.canParse(own) && new URL(own).host === url.host;
}

function matchesOrigin(origin: URL, pattern: string): boolean {
  const [, scheme = "", wildcard, host = "", port] =
    /^([a-z]+:)?\/\/(\*\.)?([^/:]+|\[[^\]]+\])(?::(\d+))?$/i.exec(pattern) ?? [];
  const name = host.toLowerCase();
  const hostMatches =
    name !== "" && (origin.hostname === name || (wildcard !== undefined && origin.hostname.endsWith(`.${name}`)));
  // `https://a` names its scheme's port, `//a` any.
  const wanted = port ?? (scheme === "" ? undefined : defaultPort(scheme));
  return (
    hostMatches &&
    (scheme === "" || origin.protocol === scheme.toLowerCase()) &&
    (wanted === undefined || (origin.port || defaultPort(origin.protocol)) === wanted)
  );
}

function defaultPort(protocol: string): string {
  return protocol.toLowerCase() === "https:" ? "443" : "80";
}
