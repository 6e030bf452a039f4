import { Dialog } from "@base-ui/react/dialog";
import type { ReactNode } from "react";
import { Button } from "./Button";

export interface DrawerProps {
  open: boolean;
  /** Escape, the scrim and the close button call it; the owner changes the address. */
  onClose: () => void;
  title: ReactNode;
  /** One line below the title. */
  subtitle?: ReactNode;
  /** For tables and logs. */
  wide?: boolean;
  children: ReactNode;
}

/** Details from the right: a modal dialog with focus trap, Escape, and the focus given back to what opened it. */
export function Drawer({ open, onClose, title, subtitle, wide = false, children }: DrawerProps) {
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="scrim" />
        <Dialog.Popup className="drawer" data-wide={wide ? "" : undefined}>
          <header className="drawer-head">
            <div>
              <Dialog.Title>{title}</Dialog.Title>
              {subtitle !== undefined && <Dialog.Description className="dim">{subtitle}</Dialog.Description>}
            </div>
            <Dialog.Close render={<Button look="quiet" square aria-label="Close" />}>✕</Dialog.Close>
          </header>
          {/* A scrolling region has to be reachable by keyboard. */}
          {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
          <div className="drawer-body" tabIndex={0} role="group" aria-label="Details">
            {children}
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

export interface ModalProps {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  description?: ReactNode;
  children: ReactNode;
}

/** A dialog in the middle, for a decision or a form. Put `<div className="dialog-foot">` with the buttons at its end. */
export function Modal({ open, onClose, title, description, children }: ModalProps) {
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="scrim" />
        <Dialog.Popup className="dialog">
          <header className="drawer-head">
            <div>
              <Dialog.Title>{title}</Dialog.Title>
              {description !== undefined && <Dialog.Description className="dim">{description}</Dialog.Description>}
            </div>
            <Dialog.Close render={<Button look="quiet" square aria-label="Close" />}>✕</Dialog.Close>
          </header>
          <div className="dialog-body">{children}</div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
