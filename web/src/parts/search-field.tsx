/** The field in which a view is searched. */

export interface SearchFieldProps {
  /** What it searches, for those who hear it. */
  readonly label: string;
  /** What can be typed, as an example. */
  readonly placeholder: string;
  readonly text: string;
  readonly search: (text: string) => void;
}

export function SearchField({ label, placeholder, text, search }: SearchFieldProps) {
  return (
    <label class="grow">
      <span class="unseen">{label}</span>
      <input
        type="search"
        placeholder={placeholder}
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => search(event.currentTarget.value)}
      />
    </label>
  );
}
