/** A URL as messages may show it: whoever wrote it may have put a secret into it, in whatever place. */
export function withoutSecrets(url: string): string {
  return url.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, "$1***@").replace(/[?#].*$/s, "?***");
}
