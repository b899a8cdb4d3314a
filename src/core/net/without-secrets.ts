/** A URL fit for messages: it may contain a secret anywhere. */
export function withoutSecrets(url: string): string {
  return url.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, "$1***@").replace(/[?#].*$/s, "?***");
}
