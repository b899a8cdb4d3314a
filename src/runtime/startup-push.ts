import { ConfigPusher } from "../config/config-pusher.ts";
import type { PushOutcome } from "../config/push.ts";
import { type Backoff, backoffMs } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { isGenApiError, toError } from "../core/errors.ts";
import type { GatewaySession } from "../node/gateway-session.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { functionsOf } from "./modules.ts";
import { type ResolvedServiceNodeOptions, servicesOf } from "./service-node-options.ts";

const pushed = telemetryEvent("gateway.push");
const failed = telemetryEvent("gateway.push.exception");

/** What came of a push: one that is refused for what it is would be refused again. */
type TriedPush = "taken" | "refused" | "failed";

const backoff: Backoff = { firstMs: 500, maxMs: 30_000 };

/** One pusher for each of a node's services. */
export function pushersOf(options: ResolvedServiceNodeOptions): readonly ConfigPusher[] {
  const { configVersion, pull } = options;
  const functions = functionsOf(options);
  return servicesOf(options).map(
    (service) =>
      new ConfigPusher({
        service,
        functions: functions.filter((config) => config.service === service),
        ...(configVersion === undefined ? {} : { configVersion }),
        ...(pull === undefined ? {} : { pull }),
      }),
  );
}

/**
 * Pushes a node's functions to every gateway that lets it in, until it has them; where the node does not push by itself,
 * to those that come after its first push by hand.
 */
export class StartupPush {
  readonly #node: string;
  readonly #pushers: readonly ConfigPusher[];
  #isOn: boolean;
  readonly #clock: Clock;
  /** The timers of pushes that are tried again. */
  readonly #retries = new Map<GatewaySession, unknown>();
  /** The gateways that have the functions. */
  readonly #informed = new Set<GatewaySession>();
  #waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  #closed: Error | null = null;

  /** @param isOn whether gateways are told before the node's first push by hand */
  constructor(node: string, pushers: readonly ConfigPusher[], isOn: boolean, clock: Clock) {
    this.#node = node;
    this.#pushers = pushers;
    this.#isOn = isOn;
    this.#clock = clock;
  }

  /** Resolves when a gateway has the functions. */
  async known(): Promise<void> {
    if (this.#informed.size > 0) return;
    if (this.#closed !== null) throw this.#closed;
    await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  gatewayUp(session: GatewaySession): void {
    void this.#pushAll(session, 1);
  }

  gatewayDown(session: GatewaySession): void {
    this.#informed.delete(session);
    this.#cancelRetry(session);
  }

  /** Pushes one service to one gateway by hand. @throws what the gateway refused it with */
  async push(
    pusher: ConfigPusher,
    session: GatewaySession,
    options?: { readonly force?: boolean },
  ): Promise<PushOutcome> {
    this.#isOn = true;
    return this.#push(pusher, session, options);
  }

  /** Pushes nothing more. */
  stop(): void {
    for (const session of [...this.#retries.keys()]) this.#cancelRetry(session);
  }

  /** Whoever waits for a gateway waits in vain. */
  close(error: Error): void {
    this.#closed = error;
    this.stop();
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  async #push(
    pusher: ConfigPusher,
    session: GatewaySession,
    options?: { readonly force?: boolean },
  ): Promise<PushOutcome> {
    const outcome = await pusher.push((name, body) => session.ask(name, body), options);
    const isAccepted = outcome.outcome === "accepted";
    const refused = isAccepted ? outcome.refused : [];
    if (pushed.active) {
      pushed.emit(
        { accepted: isAccepted ? outcome.accepted : 0, refused: refused.length },
        {
          node: this.#node,
          gateway: session.gateway ?? "",
          service: pusher.service,
          skipped: !isAccepted,
          faults: refused.flatMap(({ requestType, faults }) => faults.map((fault) => `${requestType}: ${fault}`)),
        },
      );
    }
    return outcome;
  }

  async #pushAll(session: GatewaySession, attempt: number): Promise<void> {
    this.#cancelRetry(session);
    const outcomes = new Set<TriedPush>();
    if (this.#isOn) for (const pusher of this.#pushers) outcomes.add(await this.#tryPush(pusher, session));
    if (!session.isUp || this.#closed !== null) return;
    if (outcomes.has("failed")) {
      const retry = () => void this.#pushAll(session, attempt + 1);
      this.#retries.set(session, this.#clock.setTimeout(retry, backoffMs(backoff, attempt, Math.random())));
      return;
    }
    if (outcomes.has("refused")) return;
    this.#informed.add(session);
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  async #tryPush(pusher: ConfigPusher, session: GatewaySession): Promise<TriedPush> {
    try {
      const outcome = await this.#push(pusher, session);
      // Not one of them was right: the gateway knows nothing of this service.
      const isRefused = outcome.outcome === "accepted" && outcome.accepted === 0 && outcome.refused.length > 0;
      return isRefused ? "refused" : "taken";
    } catch (thrown) {
      const error = toError(thrown);
      const { service } = pusher;
      const metadata = { node: this.#node, gateway: session.gateway ?? "", service, error };
      failed.emit({ system_time: this.#clock.systemTime() }, metadata);
      const isRefused =
        isGenApiError(thrown) && (thrown.code === "permission_denied" || thrown.code === "invalid_request");
      return isRefused ? "refused" : "failed";
    }
  }

  #cancelRetry(session: GatewaySession): void {
    const timer = this.#retries.get(session);
    if (timer !== undefined) this.#clock.clearTimeout(timer);
    this.#retries.delete(session);
  }
}
