import { z } from "zod";
import { nameInHeaders } from "../../admin/admin-guard.ts";
import type { AdminListen } from "../../admin/admin-server.ts";
import { described, either, must, mustUnshown } from "../../core/faults.ts";
import { isMap } from "../../core/is-map.ts";
import { isLoopbackHost } from "../../core/net/loopback.ts";
import { withoutSecrets } from "../../core/net/without-secrets.ts";
import { flag } from "./option-schemas.ts";

/** The listener for operators: its endpoints, `/metrics` and the command-line tool `gen-api`. */
export interface AdminOptions {
  /**
   * `"127.0.0.1:4001"`, `"unix:/run/gen-api.sock"`, `{host, port}` or `{path}`. Port 0 takes any free port. The default
   * host is `"127.0.0.1"`; without `insecure` the host must be a loopback address.
   */
  readonly listen: string | { readonly host?: string; readonly port: number } | { readonly path: string };
  /** The secret that every request sends as `Authorization: Bearer …`: at least 16 characters, without spaces. */
  readonly token: string;
  /** Listens where other machines reach it, unencrypted: only for networks that you trust. @default false */
  readonly insecure?: boolean;
  /** Further host names that requests may carry in `Host`. @default [] */
  readonly allowedHosts?: readonly string[];
}

const port = z.int().min(0).max(65_535);

// An IPv6 address in brackets, any other host as it is.
const hostAndPort = z.string().transform((value, context): AdminListen => {
  const path = /^unix:(.+)$/.exec(value)?.[1];
  if (path !== undefined) return { path };
  const [, ipv6, host, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(value) ?? [];
  const parsed = port.safeParse(Number(digits));
  if (parsed.success) return { host: ipv6 ?? host ?? "", port: parsed.data };
  context.addIssue({ code: "custom", input: value });
  return z.NEVER;
});

const listenForm = '"HOST:PORT", "unix:PATH", {host, port} or {path}';

// A value that is not an address may be the token, or a URL with a password.
const listenSchema = either(
  (value) => isMap(value) && "port" in value && !("path" in value),
  z.strictObject({
    host: described(z.string().min(1), 'a host such as "127.0.0.1"').default("127.0.0.1"),
    port: described(port, "a port from 0 to 65535"),
  }),
  described(z.union([hostAndPort, z.strictObject({ path: z.string().min(1) })]), listenForm, mustUnshown(listenForm)),
);

const hostForm = 'a host name such as "gateway.internal", without a port';

const hostName = z
  .string({ error: must(hostForm) })
  .refine((name) => nameInHeaders(name) !== null && !/[^:]:\d+$/.test(name), {
    error: must(hostForm),
  });

const token = "a secret of at least 16 characters without spaces";

/** The schema of {@link AdminOptions}. */
export const adminSchema = z
  .strictObject(
    {
      listen: listenSchema,
      token: z.string({ error: mustUnshown(token) }).regex(/^\S{16,}$/, { error: `must be ${token}` }),
      insecure: flag().default(false),
      allowedHosts: z.array(hostName, { error: must("a list of host names") }).default([]),
    },
    // Of unknown keys the parse itself says which are known.
    { error: (issue) => (issue.code === "unrecognized_keys" ? undefined : mustUnshown("{listen, token}")(issue)) },
  )
  .superRefine(({ listen, insecure }, context) => {
    if (insecure || "path" in listen || isLoopbackHost(listen.host)) return;
    const here = 'a host of this machine such as "127.0.0.1", or a socket in the file system, without insecure: true';
    context.addIssue({
      code: "custom",
      path: ["listen"],
      message: `must be ${here}, got ${JSON.stringify(withoutSecrets(listen.host))}`,
    });
  });
