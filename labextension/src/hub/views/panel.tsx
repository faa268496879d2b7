/** The panel: what is the matter with the kernel, then one of three parts. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import React from 'react';

import { mismatchOf } from '../../kernel/versions.js';
import { type Hub, type Tab, TABS } from '../hub.js';
import { DeploymentList } from './deployments.js';
import { Filters, type FilterUses } from './filters.js';
import { ImageList, type ImageUses } from './images.js';
import { Button, Empty, Problem } from './parts.js';

/** Where the panel is entered: the part that is chosen, or what there is to press without any. */
const ENTRY = '[role=tab][tabindex="0"], button:not([role=tab])';

/** What the panel does besides showing, and its words. */
export interface PanelUses extends FilterUses, ImageUses {
  readonly trans: TranslationBundle;
  readonly newNotebook: () => void;
}

/** The widget in the side bar. */
export class HubPanel extends VDomRenderer<Hub> {
  /** Whether the focus waits for something to be drawn that can take it. */
  private awaited = false;
  /** What has the focus in the panel or had it when it went, and which item of a list it was in. */
  private held: { readonly element: Element; readonly item: number } | null = null;

  constructor(
    private readonly hub: Hub,
    private readonly uses: PanelUses
  ) {
    super(hub);
    this.addClass('wh-panel');
    this.node.addEventListener('focusin', ({ target }) => {
      const element = target as Element;
      this.held = { element, item: this.items().findIndex(each => each.contains(element)) };
    });
    this.node.addEventListener('focusout', ({ relatedTarget }) => {
      // What is taken away gives the focus to nobody.
      if (relatedTarget !== null) {
        this.held = null;
      }
    });
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.hub.show(true);
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.hub.show(false);
  }

  protected override onActivateRequest(_: Message): void {
    this.awaited = true;
    this.settle();
  }

  /** What cannot be seen is not drawn. */
  protected override onUpdateRequest(message: Message): void {
    if (this.isVisible) {
      super.onUpdateRequest(message);
    }
  }

  protected render(): JSX.Element {
    return <Drawn then={() => this.settle()}>{this.parts()}</Drawn>;
  }

  private settle(): void {
    const first = this.awaited ? this.node.querySelector<HTMLElement>(ENTRY) : null;
    if (first !== null) {
      this.awaited = false;
      first.focus();
    } else if (this.held !== null && !this.held.element.isConnected && document.activeElement === document.body) {
      this.next(this.held.item)?.focus();
    }
  }

  /** Where the focus goes from something that is no more: to what is in its place, else to the name of the part. */
  private next(item: number): HTMLElement | null {
    const items = item < 0 ? [] : this.items();
    return (items[item] ?? items.at(-1))?.querySelector<HTMLElement>('button') ?? this.node.querySelector<HTMLElement>(ENTRY);
  }

  private items(): Element[] {
    return [...this.node.querySelectorAll('.wh-item')];
  }

  private parts(): JSX.Element {
    const { hub, uses } = this;
    const { trans } = uses;
    if (hub.panel === null) {
      return (
        <Empty
          title={trans.__('WebAssembly Hub')}
          text={trans.__('Open a notebook to write filters for Envoy, to find published ones and to deploy them.')}
        >
          <Button strong label={trans.__('New notebook')} onClick={uses.newNotebook} />
        </Empty>
      );
    }
    return (
      <>
        <Tabs hub={hub} trans={trans} />
        <div role="tabpanel" id="wh-tabpanel" aria-labelledby={`wh-tab-${hub.tab}`} className="wh-body">
          <Notice hub={hub} trans={trans} />
          {hub.client.failure !== null && <Problem failure={hub.client.failure} />}
          <Part hub={hub} uses={uses} />
        </div>
      </>
    );
  }
}

function Drawn({ then, children }: { then: () => void; children: React.ReactNode }): JSX.Element {
  React.useEffect(then);
  return <>{children}</>;
}

function Tabs({ hub, trans }: { hub: Hub; trans: TranslationBundle }): JSX.Element {
  const labels: Record<Tab, string> = {
    filters: trans.__('Filters'),
    images: trans.__('Images'),
    deployments: trans.__('Deployments')
  };
  const onKey = (event: React.KeyboardEvent<HTMLElement>): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step !== undefined) {
      const next = TABS[(TABS.indexOf(hub.tab) + step + TABS.length) % TABS.length] as Tab;
      hub.choose(next);
      event.currentTarget.querySelector<HTMLElement>(`#wh-tab-${next}`)?.focus();
    }
  };
  return (
    <div role="tablist" className="wh-tabs" aria-label={trans.__('WebAssembly Hub')} onKeyDown={onKey}>
      {TABS.map(tab => (
        <button
          key={tab}
          type="button"
          role="tab"
          id={`wh-tab-${tab}`}
          aria-selected={hub.tab === tab}
          aria-controls={hub.tab === tab ? 'wh-tabpanel' : undefined}
          tabIndex={hub.tab === tab ? 0 : -1}
          onClick={() => hub.choose(tab)}
        >
          {labels[tab]}
        </button>
      ))}
    </div>
  );
}

/** What the user has to know of the kernel; nothing where all is well. */
function Notice({ hub, trans }: { hub: Hub; trans: TranslationBundle }): JSX.Element | null {
  const mismatch = mismatchOf(hub.client.link, trans);
  if (mismatch !== '') {
    return (
      <div className="wh-notice" role="note">
        {mismatch}
      </div>
    );
  }
  if (hub.client.state === 'ready' && hub.client.busy && hub.tab !== 'filters') {
    return (
      <div className="wh-notice" role="note">
        {trans.__('The kernel is busy. This is what it told last.')}
      </div>
    );
  }
  return null;
}

function Part({ hub, uses }: { hub: Hub; uses: PanelUses }): JSX.Element | null {
  const { trans } = uses;
  if (hub.tab === 'filters') {
    return <Filters hub={hub} trans={trans} uses={uses} />;
  }
  if (hub.client.state === 'foreign') {
    return null;
  }
  if (hub.client.state === 'none') {
    return (
      <Empty
        title={trans.__('This notebook has no kernel')}
        text={trans.__('Images and deployments are known to the kernel. Start one, and they appear here.')}
      >
        <Button strong label={trans.__('Start')} onClick={() => void hub.load()} />
      </Empty>
    );
  }
  if (hub.client.state === 'unloaded') {
    return (
      <Empty
        title={trans.__('The magics are not loaded')}
        text={trans.__('This kernel does not know filters yet: %load_ext wasmhub_magics teaches it.')}
      >
        <Button strong label={trans.__('Load them')} onClick={() => void hub.load()} />
      </Empty>
    );
  }
  return hub.tab === 'images' ? (
    <ImageList hub={hub} trans={trans} uses={uses} />
  ) : (
    <DeploymentList hub={hub} trans={trans} />
  );
}
