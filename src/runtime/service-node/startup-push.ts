import { isGenApiError, toError } from "../../core/errors.ts";
import { type Backoff, backoffMs } from "../../core/time/backoff.ts";
import type { Clock } from "../../core/time/clock.ts";
import { Waiters } from "../../core/time/waiters.ts";
import type { NodeSession } from "../../node/node-session.ts";
import { ConfigPusher } from "../../sync/push/config-pusher.ts";
import type { PushOutcome } from "../../sync/push/push.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import { functionsOf } from "../options/given-functions.ts";
import { type ResolvedServiceNodeOptions, servicesOf } from "../options/service-node-options.ts";

const pushed = telemetryEvent("gateway.push");
const failed = telemetryEvent("gateway.push.exception");

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
 * Pushes a node's functions to every gateway that lets it in, until it has them; if the node does not push by itself,
 * only to those that come after its first manual push.
 */
export class StartupPush {
  readonly #node: string;
  readonly #pushers: readonly ConfigPusher[];
  #isOn: boolean;
  readonly #clock: Clock;
  /** The timers of pushes to be retried. */
  readonly #retries = new Map<NodeSession, unknown>();
  /** The gateways, each with the services that it has not got yet. */
  readonly #untold = new Map<NodeSession, Set<ConfigPusher>>();
  readonly #waiters = new Waiters();
  #isStopped = false;

  /** @param isOn whether to push before the node's first manual push */
  constructor(node: string, pushers: readonly ConfigPusher[], isOn: boolean, clock: Clock) {
    this.#node = node;
    this.#pushers = pushers;
    this.#isOn = isOn;
    this.#clock = clock;
  }

  /** Resolves when a gateway has the functions. */
  async known(): Promise<void> {
    const isTold = [...this.#untold.values()].some(({ size }) => size === 0);
    if (!isTold) await this.#waiters.wait();
  }

  gatewayUp(session: NodeSession): void {
    const pushers = this.#isOn ? this.#pushers : [];
    this.#untold.set(session, new Set(pushers));
    if (pushers.length === 0) this.#waiters.resolveAll();
    else void this.#pushAll(session, 1);
  }

  gatewayDown(session: NodeSession): void {
    this.#untold.delete(session);
    this.#cancelRetry(session);
  }

  /**
   * Pushes one service to one gateway on request.
   * @throws the error with which the gateway refused it
   */
  async push(pusher: ConfigPusher, session: NodeSession, options?: { readonly force?: boolean }): Promise<PushOutcome> {
    this.#isOn = true;
    return this.#push(pusher, session, options);
  }

  /** Stops pushing by itself. */
  stop(): void {
    this.#isStopped = true;
    for (const session of [...this.#retries.keys()]) this.#cancelRetry(session);
  }

  /** Rejects everyone who waits for a gateway. */
  close(error: Error): void {
    this.stop();
    this.#waiters.rejectAll(error);
  }

  async #push(
    pusher: ConfigPusher,
    session: NodeSession,
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
    if (!isRefused(outcome)) this.#told(session, pusher);
    return outcome;
  }

  async #pushAll(session: NodeSession, attempt: number): Promise<void> {
    this.#cancelRetry(session);
    let hasFailed = false;
    for (const pusher of this.#pushers) {
      if (this.#isStopped) return;
      if (!(await this.#tryPush(pusher, session))) hasFailed = true;
    }
    if (!hasFailed || !session.isUp || this.#isStopped) return;
    const retry = () => void this.#pushAll(session, attempt + 1);
    this.#retries.set(session, this.#clock.setTimeout(retry, backoffMs(backoff, attempt, Math.random())));
  }

  /** @returns whether the gateway has decided: a push refused for its content would be refused again */
  async #tryPush(pusher: ConfigPusher, session: NodeSession): Promise<boolean> {
    try {
      await this.#push(pusher, session);
      return true;
    } catch (thrown) {
      const error = toError(thrown);
      const { service } = pusher;
      const metadata = { node: this.#node, gateway: session.gateway ?? "", service, error };
      failed.emit({ system_time: this.#clock.systemTime() }, metadata);
      return isGenApiError(thrown) && (thrown.code === "permission_denied" || thrown.code === "invalid_request");
    }
  }

  /** The gateway has this service's functions. */
  #told(session: NodeSession, pusher: ConfigPusher): void {
    const untold = this.#untold.get(session);
    untold?.delete(pusher);
    if (untold?.size === 0) this.#waiters.resolveAll();
  }

  #cancelRetry(session: NodeSession): void {
    const timer = this.#retries.get(session);
    if (timer !== undefined) this.#clock.clearTimeout(timer);
    this.#retries.delete(session);
  }
}

/** Whether none of the functions was valid, so that the gateway has none of this service. */
function isRefused(outcome: PushOutcome): boolean {
  return outcome.outcome === "accepted" && outcome.accepted === 0 && outcome.refused.length > 0;
}
