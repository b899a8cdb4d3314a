import Opossum from "opossum";

/** The single call that an open circuit lets through after its cooldown. */
export interface Trial {
  succeeded(): void;
  failed(): void;
}

/** The options and callbacks of a {@link CircuitBreaker}. */
export interface CircuitBreakerOptions {
  /** Consecutive failures that open the circuit. */
  readonly threshold: number;
  readonly cooldownMs: number;
  onOpen(consecutiveFailures: number): void;
  onClose(): void;
}

/** The decision about a call: allowed, allowed as the trial, or refused. */
export type Admission = "allowed" | "refused" | Trial;

// opossum reads only these fields for a circuit that starts half open.
const halfOpen = { enabled: true, closed: false, halfOpen: true } as Opossum.State;

/**
 * Stops calling a function that keeps failing (Nygard, "Release It!", Circuit Breaker): after `threshold` consecutive
 * failures it refuses every call for `cooldownMs`, then lets exactly one through, whose outcome closes or reopens it.
 *
 * While closed it is a counter. opossum runs the part with states and time: it is created when the circuit opens and
 * dropped when it closes. Its `fire` takes 0.5 to 1 µs where a whole call in a batch takes 0.7 µs (Node 20, 2 cores),
 * and its intervals keep statistics that we do not read. opossum uses the global timers and `Date`: tests fake those.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  #failures = 0;
  #circuit: Opossum<[Promise<void>], void> | null = null;
  #trial: Trial | null = null;

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#circuit !== null;
  }

  /** Whether a call would be refused now, during the cooldown or the trial. */
  get isRefusing(): boolean {
    // In opossum's terms: half open, with the trial still to come.
    return this.#circuit !== null && !this.#circuit.pendingClose;
  }

  /** Asks for permission to make a call. For a {@link Trial}, report the outcome or {@link abandon} it. */
  admit(): Admission {
    if (this.#circuit === null) return "allowed";
    if (this.isRefusing) return "refused";
    return this.#startTrial(this.#circuit);
  }

  /** A call other than the trial succeeded. */
  succeeded(): void {
    if (this.#circuit === null) this.#failures = 0;
  }

  /** A call other than the trial failed. */
  failed(): void {
    if (this.#circuit !== null) return;
    this.#failures++;
    if (this.#failures < this.#options.threshold) return;
    this.#circuit = this.#createCircuit();
    this.#circuit.open();
  }

  /** The trial ended without saying anything about the function: the next call becomes the trial. */
  abandon(trial: Trial): void {
    // Except a trial that opossum has already given up.
    if (trial !== this.#trial || this.#circuit?.halfOpen !== true) return;
    this.close();
    this.#circuit = this.#createCircuit(halfOpen);
  }

  /** Closes an open circuit, and says so. */
  reset(): void {
    this.#circuit?.close();
  }

  /** Ends its timers. */
  close(): void {
    this.#circuit?.shutdown();
    this.#circuit = null;
    // opossum's shutdown leaves the timeout of a running call; the call's end clears it.
    this.#trial?.failed();
    this.#trial = null;
  }

  #startTrial(circuit: Opossum<[Promise<void>], void>): Trial {
    let succeeded!: () => void;
    let failed!: (error: Error) => void;
    const outcome = new Promise<void>((resolve, reject) => {
      succeeded = resolve;
      failed = reject;
    });
    // opossum's copy of the outcome: only the events below matter.
    void Promise.allSettled([circuit.fire(outcome)]);
    this.#trial = {
      succeeded: () => {
        succeeded();
        // A trial that succeeds after opossum gave it up still shows that the function works.
        if (circuit.opened) circuit.close();
      },
      failed: () => failed(new Error("The trial failed")),
    };
    return this.#trial;
  }

  #createCircuit(state?: Opossum.State): Opossum<[Promise<void>], void> {
    const { cooldownMs, onOpen, onClose } = this.#options;
    const circuit = new Opossum<[Promise<void>], void>((outcome) => outcome, {
      // An unanswered trial must not keep the circuit half open forever.
      timeout: cooldownMs,
      resetTimeout: cooldownMs,
      // opossum's own rule, an error rate, never opens it.
      volumeThreshold: Number.MAX_SAFE_INTEGER,
      enableSnapshots: false,
      rollingPercentilesEnabled: false,
      ...(state === undefined ? {} : { state }),
    });
    circuit.on("open", () => {
      onOpen(this.#failures);
    });
    circuit.on("failure", () => {
      this.#failures++;
    });
    circuit.on("close", () => {
      this.close();
      this.#failures = 0;
      onClose();
    });
    return circuit;
  }
}
