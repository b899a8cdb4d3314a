import { once } from "node:events";
import type { ReadStream, WriteStream } from "node:tty";
import { Command, InvalidArgumentError, Option } from "commander";
import type { TreeNode } from "../actor/supervisor/tree-node.ts";
import type { Response } from "../call/request/response.ts";
import type { CacheStatus } from "../diagnostics/cache-status.ts";
import type { CallFlow, CallFlowSummary } from "../diagnostics/call-flow.ts";
import type { ClusterView } from "../diagnostics/cluster-view.ts";
import type { Health } from "../diagnostics/health.ts";
import type { RequestInspection } from "../diagnostics/inspect-request.ts";
import type { RateLimitStatus } from "../policy/rate-limiter/rate-limiter.ts";
import type { Reloaded } from "../runtime/options/reload-options.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";
import { AdminClient } from "./admin-client.ts";
import { CliError, exitCodes } from "./cli-error.ts";
import { jsonLine, jsonText, plain } from "./text.ts";
import { readTop, showTop } from "./top.ts";
import { topView } from "./top-view.ts";
import { treeView } from "./tree-view.ts";
import {
  cacheView,
  flowsView,
  flowView,
  healthView,
  inspectionView,
  limitsView,
  nodesView,
  poolsView,
  reloadView,
  responseView,
} from "./views.ts";

interface GlobalOptions {
  readonly admin: string;
  readonly token?: string;
  readonly json: boolean;
}

interface DescribeOptions {
  readonly format: string;
  readonly service?: string;
  readonly url?: string;
  readonly anonymous: boolean;
  readonly user?: string;
  readonly role: readonly string[];
  readonly claims?: unknown;
}

interface RequestOptions {
  readonly user?: string;
  readonly device?: string;
  readonly role: readonly string[];
  readonly ip?: string;
  readonly claims: unknown;
  readonly functionVersion?: string;
}

/**
 * The commands of `gen-api`. A command sets `process.exitCode` if its answer is negative.
 * @param write prints to stdout; returns false if the caller should wait for its "drain" before it prints more
 */
export function createProgram(version: string, write: (text: string) => boolean): Command {
  const program = new Command("gen-api")
    .description("Looks into a running gen-api gateway, over its admin listener.")
    .version(version)
    .addOption(
      new Option("--admin <address>", "HOST:PORT or unix:PATH of the admin listener")
        .env("GEN_API_ADMIN")
        .default("127.0.0.1:4001"),
    )
    // Not with commander's env(): its help would show the token.
    .option("--token <token>", "the admin listener's token; better in GEN_API_ADMIN_TOKEN, which `ps` does not show")
    .option("--json", "print JSON", false)
    .showHelpAfterError("(see gen-api --help)")
    .configureHelp({ showGlobalOptions: true })
    .addHelpText(
      "after",
      "\nExit codes: 0 yes, 1 the answer says no, 2 wrong use, 3 no gateway answers, 4 refused (token, Host, adminActions)",
    );

  const clientOf = ({ admin, token = process.env.GEN_API_ADMIN_TOKEN }: GlobalOptions) =>
    new AdminClient({ address: admin, token });
  const print = <Value>({ json }: GlobalOptions, value: Value, view: (value: Value) => string) =>
    write(json ? jsonText(value) : view(value));
  const failWhen = (isFailure: boolean) => {
    if (isFailure) process.exitCode = exitCodes.failed;
  };

  /** A command that sends one request. */
  const question = <Value>(name: string, description: string, path: string, view: (value: Value) => string) =>
    program
      .command(name)
      .description(description)
      .action(async (_options, command: Command) => {
        const options = command.optsWithGlobals<GlobalOptions>();
        print(options, await clientOf(options).get<Value>(path), view);
      });

  program
    .command("health")
    .description("the gateway's health and its problems; exit code 1 if the gateway is down")
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const health = await clientOf(options).get<Health>("/api/health");
      print(options, health, healthView);
      failWhen(health.status === "down");
    });
  program
    .command("tree")
    .description("the supervision tree")
    .option("--all", "every child of a supervisor that has many", false)
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly all: boolean }>();
      print(options, await clientOf(options).get<TreeNode>("/api/tree"), (tree) => treeView(tree, options.all));
    });
  program
    .command("flows")
    .description("every function, or those of one service")
    .argument("[service]")
    .action(async (service: string | undefined, _options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      print(options, await clientOf(options).get<CallFlowSummary[]>("/api/flows", { service }), flowsView);
    });
  program
    .command("flow")
    .description("the path of a function's requests, stage by stage")
    .argument("<service>")
    .argument("<type>")
    .option(
      "--function-version <version>",
      "the function's version; by default the one that requests without a version get",
    )
    .action(async (service: string, type: string, _options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly functionVersion?: string }>();
      const query = { service, type, version: options.functionVersion };
      print(options, await clientOf(options).get<CallFlow>("/api/flow", query), flowView);
    });

  const requestCommand = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .argument("<service>")
      .argument("<type>")
      .argument("[args]", "the arguments, as JSON", jsonMap, {})
      .option("--user <id>", "the caller's user id")
      .option("--device <id>", "the caller's device id")
      .option("--role <role>", "a role of the caller; may be repeated", collect, [])
      .option("--ip <address>", "the caller's address")
      .option("--claims <json>", "the caller's claims, as JSON", jsonMap, {})
      .option("--function-version <version>", "of the function");
  const requestOf = (service: string, requestType: string, args: unknown, options: RequestOptions) => ({
    service,
    requestType,
    args,
    version: options.functionVersion ?? null,
    userId: options.user ?? null,
    deviceId: options.device ?? null,
    userRoles: options.role,
    ipAddress: options.ip ?? null,
    claims: options.claims,
  });
  requestCommand("inspect", "a dry run: what would happen to a request; exit code 1 when it would be refused").action(
    async (service: string, type: string, args: unknown, _options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & RequestOptions>();
      const body = requestOf(service, type, args, options);
      const inspection = await clientOf(options).post<RequestInspection>("/api/inspect", body);
      print(options, inspection, inspectionView);
      failWhen(inspection.outcome !== "would_run");
    },
  );
  requestCommand("call", 'calls a function, a stream to its end; the gateway has to list "call" in adminActions')
    .option("--timeout <ms>", "time limit of the whole call, milliseconds", milliseconds, 30_000)
    .action(async (service: string, type: string, args: unknown, _options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & RequestOptions & { readonly timeout: number }>();
      const body = { ...requestOf(service, type, args, options), timeoutMs: options.timeout };
      // The gateway ends the call in time; this is for a gateway that does not answer any more.
      const silence = { timeoutMs: options.timeout + 5_000 };
      let isOver = false;
      for await (const response of clientOf(options).postForAll<Response>("/api/call", body, silence)) {
        const text = options.json ? jsonLine(response) : responseView(response);
        // A stream continues when its output was taken.
        if (text !== null && !write(text)) await once(process.stdout, "drain");
        isOver = !response.has_more;
        failWhen(!response.success);
      }
      if (!isOver) throw new CliError("The gateway aborted the stream", exitCodes.unreachable);
    });
  program
    .command("describe")
    .description("what the gateway offers, as a document on stdout: everything, or what a caller may call")
    .addOption(
      new Option("--format <format>", "the document")
        .choices(["json", "openapi", "asyncapi", "typescript"])
        .default("json"),
    )
    .option("--service <service>", "only this service")
    .option("--url <url>", "where clients find the gateway, for documents that say so: wss://example.com")
    .option("--user <id>", "only what this user may call")
    .option("--role <role>", "only what a user with this role may call; may be repeated", collect, [])
    .option("--claims <json>", "only what a caller with these claims may call, as JSON", jsonMap)
    .option("--anonymous", "only what everybody may call", false)
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & DescribeOptions>();
      const { format, service = null, url = null } = options;
      const body = { format, service, url, identity: identityOf(options) };
      const document = await clientOf(options).post<object | string>("/api/describe", body);
      write(typeof document === "string" ? textOf(document) : jsonText(document));
    });
  program
    .command("reload")
    .description("imports the modules of a service's functions anew, while calls go on")
    .argument("<service>")
    .option("--force", "end what still runs the earliest code, if too many earlier versions run", false)
    .action(async (service: string, _options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly force: boolean }>();
      const body = { service, force: options.force };
      print(options, await clientOf(options).post<Reloaded>("/api/reload", body, reloadSilence), reloadView);
    });
  program
    .command("rl")
    .description("how much a user has used of the rate limits")
    .argument("<user>")
    .action(async (user: string, _options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const limits = await clientOf(options).get<RateLimitStatus[]>("/api/rate-limits", { user });
      print(options, limits, (value) => limitsView(user, value));
    });
  question<CacheStatus>("cache", "the table of functions", "/api/cache", cacheView);
  question<WorkerPoolStatus[]>("pools", "the worker pools", "/api/pools", poolsView);
  question<ClusterView>("nodes", "the service nodes", "/api/cluster", (view) => nodesView(view, Date.now()));
  program
    .command("top")
    .description("the gateway's state, live; prints it once if stdout is not a terminal")
    .option("--interval <ms>", "milliseconds between two readings", milliseconds, 1_000)
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly interval: number }>();
      const client = clientOf(options);
      const isLive = process.stdout.isTTY && process.stdin.isTTY && !options.json;
      if (isLive) await showTop(client, options.interval, process.stdin as ReadStream, process.stdout as WriteStream);
      else print(options, await readTop(client), (reading) => topView(reading, null));
    });
  return program;
}

/** Whose functions are to be described; undefined for everybody's. */
function identityOf({ anonymous, user, role, claims }: DescribeOptions): object | undefined {
  if (!anonymous && user === undefined && role.length === 0 && claims === undefined) return undefined;
  return { userId: user ?? null, userRoles: role, claims: claims ?? {} };
}

/** A document of several lines, which holds foreign text. */
function textOf(document: string): string {
  return document.trimEnd().split("\n").map(plain).join("\n");
}

// Longer than the admin listener takes.
const reloadSilence = { timeoutMs: 125_000 };

function jsonMap(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError(`It must be JSON, such as '{"user_id":"1"}'.`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new InvalidArgumentError(`It must be a JSON object, such as '{"user_id":"1"}'.`);
}

function milliseconds(text: string): number {
  const ms = Number(text);
  if (Number.isSafeInteger(ms) && ms >= 100 && ms <= 300_000) return ms;
  throw new InvalidArgumentError("It must be a whole number of milliseconds from 100 to 300000.");
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}
