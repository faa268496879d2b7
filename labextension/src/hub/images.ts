/** The images that were searched for, the one that was opened, and the examples beside them. */

import type { ExampleRow, Failure, ImageDetails, ImageRow } from '../kernel/messages.js';
import type { Client } from './client.js';

/** How many images are asked for at once. */
const PAGE = 50;

/** What was found. */
export interface Found {
  readonly text: string;
  readonly rows: readonly ImageRow[];
  readonly total: number;
  readonly problems: readonly Failure[];
}

/** One image, or that it is being read. */
export interface Details {
  readonly reference: string;
  readonly image: ImageDetails | null;
}

/** Searches images. The text stays when the kernel goes, what was found does not. */
export class Images {
  text = '';
  found: Found | null = null;
  details: Details | null = null;
  /** The examples that have the words that are searched for. */
  examples: readonly ExampleRow[] = [];

  private serial = 0;
  private known: readonly ExampleRow[] | null = null;

  constructor(private readonly client: Client) {}

  forget(): void {
    this.found = this.details = null;
    this.serial++;
  }

  /** Search; the answer to the latest text counts. */
  async search(text: string): Promise<void> {
    this.text = text;
    const serial = ++this.serial;
    const page = await this.client.ask('images', { text, offset: 0, limit: PAGE });
    this.known ??= await this.client.ask('examples', {}, true);
    if (serial !== this.serial) {
      return;
    }
    this.examples = matching(this.known ?? [], text);
    if (page !== null) {
      this.found = { text, rows: page.images, total: page.total, problems: page.problems };
    }
    this.client.tell();
  }

  /** The next images of the same search. */
  async more(): Promise<void> {
    const { found, serial } = this;
    if (found === null) {
      return;
    }
    const page = await this.client.ask('images', { text: found.text, offset: found.rows.length, limit: PAGE });
    if (page !== null && serial === this.serial) {
      this.found = { ...found, rows: [...found.rows, ...page.images], total: page.total };
      this.client.tell();
    }
  }

  /** Look at one image; null to go back to the list. */
  async open(reference: string | null): Promise<void> {
    this.details = reference === null ? null : { reference, image: null };
    this.client.tell();
    if (reference !== null) {
      const image = await this.client.ask('image', { reference });
      if (this.details?.reference === reference) {
        this.details = image === null ? null : { reference, image };
        this.client.tell();
      }
    }
  }

  /** The cell of an example; null where it cannot be had. */
  async example(name: string, language: string): Promise<string | null> {
    return this.client.ask('example', { name, language });
  }
}

function matching(examples: readonly ExampleRow[], text: string): ExampleRow[] {
  const words = text.toLowerCase().split(/\s+/);
  return examples.filter(each => {
    const all = [each.name, each.title, each.description, ...each.languages].join(' ').toLowerCase();
    return words.every(word => all.includes(word));
  });
}
