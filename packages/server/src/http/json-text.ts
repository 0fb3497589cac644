/** JSON that is text already: it goes into an answer as it stands, neither parsed nor written anew. */
export class JsonText {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}
