import { request } from "node:http";
import type { Gateway } from "gen-api";

export const adminToken = "a-token-for-tests-only";

/** What the admin listener, or a port, answered. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  readonly json: any;
}

/** How a request departs from a good one. */
export interface HttpRequest {
  readonly method?: string;
  readonly headers?: Record<string, string | undefined>;
  readonly body?: string;
}

/** Sends a request as it is given: unlike fetch, also with a Host of its own. */
export function send(
  to: { readonly port: number; readonly host?: string } | { readonly socketPath: string },
  path: string,
  { method = "GET", headers = {}, body }: HttpRequest = {},
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const given = Object.entries(headers).filter((entry) => entry[1] !== undefined);
    const sent = request(
      { host: "127.0.0.1", ...to, path, method, headers: Object.fromEntries(given), agent: false },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk) => (text += chunk));
        response.on("error", reject);
        response.on("end", () => {
          const isJson = response.headers["content-type"]?.startsWith("application/json") && text !== "";
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: isJson ? JSON.parse(text) : null,
          });
        });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Where a gateway's admin listener is. */
export function adminOf({ adminAddress }: Gateway) {
  if (adminAddress === undefined) throw new Error("the gateway has no admin listener");
  return "path" in adminAddress ? { socketPath: adminAddress.path } : { port: adminAddress.port };
}

/** A good request to a gateway's admin listener, but for what is given. */
export function askAdmin(gateway: Gateway, path: string, { headers, ...rest }: HttpRequest = {}): Promise<HttpAnswer> {
  return send(adminOf(gateway), path, { ...rest, headers: { authorization: `Bearer ${adminToken}`, ...headers } });
}

export function postAdmin(gateway: Gateway, path: string, body: unknown): Promise<HttpAnswer> {
  const headers = { "content-type": "application/json" };
  return askAdmin(gateway, path, { method: "POST", headers, body: JSON.stringify(body) });
}
