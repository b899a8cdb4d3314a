import type { Clock } from "../../core/time/clock.ts";
import { Waiters } from "../../core/time/waiters.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";

const lostEvent = telemetryEvent("cluster.lost");
const backEvent = telemetryEvent("cluster.back");

const notReadYet = "they have not been read yet";

/** The parts of its gateway that {@link ClusterReach} needs. */
export interface ClusterReachDeps {
  readonly gateway: string;
  readonly clock: Clock;
  /** "link" or "nats"; null if the gateway has no service nodes. */
  readonly transport: string | null;
  /** The gateway is cut off, or no longer. */
  changed(isCutOff: boolean): void;
}

/**
 * How much of its cluster a gateway can see. Ask it before concluding anything from absence: nodes that cannot reach
 * this gateway are not gone, and functions that it has not read are not unknown.
 */
export class ClusterReach {
  readonly #deps: ClusterReachDeps;
  readonly #waiters = new Waiters();
  #isCutOff: boolean;
  #isRead: boolean;
  #wasRead: boolean;
  #unreadReason = notReadYet;
  #reason = "it has not been reached yet";
  /** When it was cut off, by the clock's `now`; null if it is not. */
  #lostAt: number | null = null;

  constructor(deps: ClusterReachDeps) {
    this.#deps = deps;
    this.#isCutOff = deps.transport !== null;
    this.#isRead = !this.#isCutOff;
    this.#wasRead = this.#isRead;
  }

  /** Whether the medium between gateways and nodes is out of this gateway's reach. */
  get isCutOff(): boolean {
    return this.#isCutOff;
  }

  /** Why it is cut off, for people; null if it is not. */
  get cutOffBecause(): string | null {
    return this.#isCutOff ? `${this.#deps.transport}: ${this.#reason}` : null;
  }

  /** Whether everything that gateways share was read once since the start. */
  get wasRead(): boolean {
    return this.#wasRead;
  }

  /**
   * Why functions that other gateways share may be missing here, for people; null if everything was read, or nothing can
   * be because this gateway is cut off.
   */
  get unreadBecause(): string | null {
    return this.#isCutOff || this.#isRead ? null : this.#unreadReason;
  }

  /** Whether a function that is not registered here may exist nevertheless, as far as this gateway can see. */
  get isPartial(): boolean {
    return this.#isCutOff || !this.#isRead;
  }

  /**
   * Resolves when everything that gateways share was read once.
   * @throws the error of {@link close} (as a rejection)
   */
  async whenRead(): Promise<void> {
    if (!this.#wasRead) await this.#waiters.wait();
  }

  /**
   * The transport works.
   * @param isShared whether gateways share functions over it, which must be read first
   */
  reached(isShared: boolean): void {
    const wasCutOff = this.#isCutOff;
    this.#isCutOff = false;
    this.#isRead = false;
    this.#unreadReason = notReadYet;
    if (!isShared) this.read();
    if (!wasCutOff) return;
    const { gateway, clock, transport, changed } = this.#deps;
    const lostAt = this.#lostAt;
    this.#lostAt = null;
    if (lostAt !== null) {
      const duration_us = Math.round((clock.now() - lostAt) * 1_000);
      backEvent.emit({ duration_us }, { gateway, transport: transport ?? "" });
    }
    changed(false);
  }

  /** Everything that gateways share was read and registered. */
  read(): void {
    if (this.#isCutOff) return;
    this.#isRead = true;
    this.#wasRead = true;
    this.#waiters.resolveAll();
  }

  /** What gateways share cannot be read for now, though the transport works. */
  unread(reason: string): void {
    this.#isRead = false;
    this.#unreadReason = reason;
  }

  /** The transport does not work for now. */
  lost(reason: string): void {
    if (this.#isCutOff) return;
    const { gateway, clock, transport, changed } = this.#deps;
    this.#isCutOff = true;
    this.#isRead = false;
    this.#reason = reason;
    this.#lostAt = clock.now();
    lostEvent.emit({ system_time: clock.systemTime() }, { gateway, transport: transport ?? "", reason });
    changed(true);
  }

  /** The transport is closed and may be reopened. This is neither a fault nor news. */
  closed(): void {
    if (this.#isCutOff) return;
    this.#isCutOff = true;
    this.#isRead = false;
    this.#reason = "the transport is being restarted";
    this.#deps.changed(true);
  }

  /** The gateway has stopped: rejects everyone who waits. */
  close(error: Error): void {
    this.#waiters.rejectAll(error);
  }
}
