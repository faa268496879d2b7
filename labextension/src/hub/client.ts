/** Questions of the panel to the kernel of its notebook: one at a time is told, and what went wrong last. */

import { type Link, type LinkState, Refusal } from '../kernel/link.js';
import type { Failure, Questions } from '../kernel/messages.js';

/** Asks whatever link it has now. `tell` is called after anything below has changed. */
export class Client {
  link: Link | null = null;
  /** What went wrong last, until something else is done. */
  failure: Failure | null = null;
  /** The question that is under way. */
  asking: keyof Questions | null = null;

  constructor(readonly tell: () => void) {}

  get state(): LinkState {
    return this.link?.state ?? 'none';
  }

  get busy(): boolean {
    return this.link?.busy ?? false;
  }

  /** The answer; null where there is none. A `quiet` question is asked by the panel itself, and by nobody else. */
  async ask<Name extends keyof Questions>(
    name: Name,
    given: Questions[Name]['given'],
    quiet = false
  ): Promise<Questions[Name]['answer'] | null> {
    const { link } = this;
    if (link === null || link.state !== 'ready') {
      return null;
    }
    if (!quiet) {
      this.asking = name;
      this.failure = null;
      this.tell();
    }
    try {
      return await link.ask(name, given);
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      if (link === this.link && link.state === 'ready') {
        this.failure = error.failure;
      }
      return null;
    } finally {
      if (this.asking === name) {
        this.asking = null;
      }
      this.tell();
    }
  }

  /** Forget what was said by another link. */
  follow(link: Link | null): void {
    this.link = link;
    this.failure = this.asking = null;
  }
}
