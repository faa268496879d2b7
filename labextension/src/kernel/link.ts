/** The extension's end of the comm to one notebook's kernel. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import { type IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { type Failure, type FilterState, PROTOCOL, type Questions, type Reply, TARGET } from './messages.js';
import { ANSWERS, readHello, readMessage } from './read.js';

/** No kernel; a kernel without the magics; one that speaks another protocol; one that answers. */
export type LinkState = 'none' | 'unloaded' | 'foreign' | 'ready';

/** What the kernel said in place of an answer. */
export class Refusal extends Error {
  constructor(readonly failure: Failure) {
    super(failure.what);
  }
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Follows a notebook through kernels that start, restart and die.
 *
 * The kernel opens the comm when the magics are loaded, and so nothing is sent to kernels that know nothing of it.
 * A page that was opened later asks the kernel which comms there are, and joins in.
 */
export class Link implements IDisposable {
  private comm: Kernel.IComm | null = null;
  private kernel: Kernel.IKernelConnection | null = null;
  private readonly waiting = new Map<string, Waiting>();
  private readonly signal = new Signal<this, void>(this);
  private readonly prefix = Math.random().toString(36).slice(2);
  private asked = 0;
  private known: readonly FilterState[] = [];
  private spoken: LinkState = 'none';
  private told = '';
  private gone = false;

  constructor(readonly session: ISessionContext) {
    session.kernelChanged.connect(this.onKernel, this);
    session.statusChanged.connect(this.onStatus, this);
    this.onKernel();
  }

  /** After anything below has changed. */
  get changed(): ISignal<this, void> {
    return this.signal;
  }

  get state(): LinkState {
    return this.spoken;
  }

  /** Whether the kernel runs a cell, so that answers have to wait. */
  get busy(): boolean {
    return this.session.session?.kernel?.status === 'busy';
  }

  /** The version of the kernel's package; empty where it has not said so. */
  get version(): string {
    return this.told;
  }

  /** The filters of the session, as the kernel told them last. */
  get filters(): readonly FilterState[] {
    return this.known;
  }

  get isDisposed(): boolean {
    return this.gone;
  }

  filter(name: string): FilterState | null {
    return this.known.find(each => each.name === name) ?? null;
  }

  /** Ask the kernel. Rejects with a Refusal, also where the kernel goes away before it has answered. */
  async ask<Name extends keyof Questions>(
    name: Name,
    given: Questions[Name]['given']
  ): Promise<Questions[Name]['answer']> {
    const { comm } = this;
    if (comm === null) {
      throw gone();
    }
    const id = `${this.prefix}-${++this.asked}`;
    const reply = await new Promise<Reply>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      comm.send({ id, ask: name, with: { ...given } });
    });
    if (reply.error !== null) {
      throw new Refusal(reply.error);
    }
    return ANSWERS[name](reply.result);
  }

  dispose(): void {
    if (!this.gone) {
      this.gone = true;
      this.leave('none');
      Signal.clearData(this);
    }
  }

  private onKernel(): void {
    const kernel = this.session.session?.kernel ?? null;
    if (kernel === this.kernel) {
      return;
    }
    this.kernel = kernel;
    this.leave(kernel === null ? 'none' : 'unloaded');
    if (kernel !== null && kernel.handleComms) {
      kernel.registerCommTarget(TARGET, (comm, message) => this.join(comm, message.content.data));
      void this.find(kernel);
    }
  }

  private onStatus(_: unknown, status: string): void {
    if (status === 'restarting' || status === 'autorestarting') {
      this.leave('unloaded');
    } else if (status === 'dead' || status === 'terminating') {
      this.leave('none');
    } else {
      this.signal.emit();
    }
  }

  /** Join the comm that the kernel has opened before this page was there. */
  private async find(kernel: Kernel.IKernelConnection): Promise<void> {
    try {
      const { content } = await kernel.requestCommInfo({ target_name: TARGET });
      const ids = content.status === 'ok' ? Object.keys(content.comms) : [];
      const id = ids[ids.length - 1];
      if (id === undefined || this.kernel !== kernel || this.comm !== null) {
        return;
      }
      this.join(kernel.createComm(TARGET, id));
      this.greet(await this.ask('hello', {}));
    } catch {
      // A kernel that restarts or goes away answers nothing, and the next one opens its comm by itself.
    }
  }

  private join(comm: Kernel.IComm, hello?: unknown): void {
    this.reject();
    this.comm = comm;
    comm.onMsg = message => {
      if (this.comm === comm) {
        this.receive(message);
      }
    };
    comm.onClose = () => {
      if (this.comm === comm) {
        this.leave('unloaded');
      }
    };
    if (hello !== undefined) {
      this.greet(readHello(hello));
    }
  }

  private greet(hello: { protocol: number; version: string; filters: readonly FilterState[] }): void {
    this.told = hello.version;
    this.spoken = hello.protocol === PROTOCOL ? 'ready' : 'foreign';
    this.known = this.spoken === 'ready' ? hello.filters : [];
    this.signal.emit();
  }

  private receive(message: KernelMessage.ICommMsgMsg): void {
    const read = readMessage(message.content.data);
    if (read === null) {
      return;
    }
    if ('news' in read) {
      this.known = read.filters;
      this.signal.emit();
      return;
    }
    const waiting = this.waiting.get(read.id);
    this.waiting.delete(read.id);
    waiting?.resolve(read);
  }

  private leave(state: LinkState): void {
    this.comm = null;
    this.known = [];
    this.told = '';
    this.spoken = state;
    this.reject();
    this.signal.emit();
  }

  private reject(): void {
    const left = [...this.waiting.values()];
    this.waiting.clear();
    for (const each of left) {
      each.reject(gone());
    }
  }
}

function gone(): Refusal {
  return new Refusal({ what: 'the kernel is not there', where: '', do: 'start it, and load wasmhub_magics' });
}
