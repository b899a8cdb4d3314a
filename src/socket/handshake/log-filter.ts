const filtered = "[FILTERED]";
const secretNames = ["password", "token"];
const maxDepth = 32;

/**
 * A copy of `value` for logs: values under a name that contains "password" or "token", in any case, are replaced
 * (Phoenix's filter_parameters), and so are values nested too deep to be of interest.
 */
export function filterSecrets(value: unknown, depth = 0): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (depth >= maxDepth) return filtered;
  if (Array.isArray(value)) return value.map((item) => filterSecrets(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, isSecret(name) ? filtered : filterSecrets(item, depth + 1)]),
  );
}

function isSecret(name: string): boolean {
  const lower = name.toLowerCase();
  return secretNames.some((secret) => lower.includes(secret));
}
