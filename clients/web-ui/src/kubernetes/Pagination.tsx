import { Button } from "../shared/Button";
import { pagesOf } from "./view";

export interface PaginationProps {
  /** what is paged: "pods" */
  readonly what: string;
  /** from 1 */
  readonly page: number;
  readonly size: number;
  readonly total: number;
  readonly onPage: (page: number) => void;
  readonly sizes?: readonly number[];
  readonly onSize?: (size: number) => void;
}

const whole = (value: number) => value.toLocaleString("en-US");

/** `101–150 of 10,000 pods`, and the way to the others. */
export function Pagination({ what, page, size, total, onPage, sizes, onSize }: PaginationProps) {
  const last = pagesOf(total, size);
  const from = total === 0 ? 0 : (page - 1) * size + 1;
  const to = Math.min(total, page * size);
  const step = (label: string, sign: string, target: number) => (
    <Button
      look="quiet"
      square
      aria-label={label}
      aria-disabled={target < 1 || target > last || target === page}
      onClick={() => onPage(target)}
    >
      <span aria-hidden="true">{sign}</span>
    </Button>
  );
  return (
    <nav className="kubernetes-pages" aria-label={`Pages of ${what}`}>
      <span role="status" className="kubernetes-pages-range">
        {whole(from)}–{whole(to)} of {whole(total)} {what}
      </span>
      {sizes && onSize ? (
        <label>
          <span className="dim">Rows </span>
          <select className="input" value={size} onChange={(event) => onSize(Number(event.target.value))}>
            {sizes.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </label>
      ) : null}
      <span className="kubernetes-pages-steps">
        {step("First page", "«", page > 1 ? 1 : 0)}
        {step("Previous page", "‹", page - 1)}
        <span>
          Page {whole(page)} of {whole(last)}
        </span>
        {step("Next page", "›", page + 1)}
        {step("Last page", "»", page < last ? last : last + 1)}
      </span>
    </nav>
  );
}
