// An address in brackets or a name, with an optional port; nothing that a URL parser would read differently.
const hostPattern = /^(\[[\da-f:.]+\]|[\w.~-]+)(?::(\d{1,5}))?$/i;

/**
 * The name in a `Host` header, in lower case, IPv6 addresses normalised and in brackets.
 * @returns null for anything but a host with an optional port, for example with a user name, a path or a second port
 */
export function hostNameOf(host: string | undefined): string | null {
  const [, name, port = "80"] = hostPattern.exec(host ?? "") ?? [];
  const url = `http://${name}:${port}`;
  return name !== undefined && URL.canParse(url) ? new URL(url).hostname : null;
}
