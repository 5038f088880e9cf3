import { lexer, type Token, type Tokens } from 'marked'
import { Fragment, useMemo, type ReactNode } from 'react'
import { visible } from '@/lib/text/visible'

/**
 * Markdown as elements, made from its tokens: no HTML is ever parsed, so what a
 * text writes as HTML is shown as it stands. Links lead to http, https and mail
 * only, and images are links, since loading one would tell somebody.
 */
export default function Markdown({ text }: { text: string }) {
  const tokens = useMemo(() => tokensOf(text), [text])
  return (
    <div dir="auto" className="user-text">
      {tokens ? blocks(tokens) : <p className="whitespace-pre-wrap">{visible(text)}</p>}
    </div>
  )
}

/** Null where a text is nested beyond what its reader can take. */
function tokensOf(text: string): Token[] | null {
  try {
    return lexer(text, { gfm: true })
  } catch {
    return null
  }
}

const deepest = 40 // nested quotes and lists; beyond it the text stands as it was written

function blocks(tokens: readonly Token[], depth = 0): ReactNode {
  return tokens.map((token, i) => <Fragment key={i}>{depth > deepest ? visible(token.raw) : block(token, depth)}</Fragment>)
}

function block(token: Token, depth: number): ReactNode {
  switch (token.type) {
    case 'space':
      return null
    case 'heading':
      return <p className="mt-2 font-semibold">{inline((token as Tokens.Heading).tokens)}</p>
    case 'paragraph':
      return <p className="my-1">{inline((token as Tokens.Paragraph).tokens)}</p>
    case 'blockquote':
      return <blockquote className="my-1 border-l-2 pl-2 text-muted">{blocks((token as Tokens.Blockquote).tokens, depth + 1)}</blockquote>
    case 'code':
      return (
        <pre className="my-1 overflow-x-auto rounded-control border bg-canvas px-2.5 py-1.5 font-mono text-[12px]" tabIndex={0}>
          {visible((token as Tokens.Code).text)}
        </pre>
      )
    case 'hr':
      return <hr className="my-2" />
    case 'list': {
      const list = token as Tokens.List
      const items = list.items.map((item, i) => (
        <li key={i}>
          {item.task ? (item.checked ? '☑ ' : '☐ ') : null}
          {blocks(item.tokens, depth + 1)}
        </li>
      ))
      return list.ordered ? (
        <ol className="my-1 list-decimal pl-6" start={typeof list.start === 'number' ? list.start : undefined}>
          {items}
        </ol>
      ) : (
        <ul className="my-1 list-disc pl-6">{items}</ul>
      )
    }
    case 'table': {
      const table = token as Tokens.Table
      return (
        <div className="my-1 overflow-x-auto" tabIndex={0}>
          <table>
            <thead>
              <tr>
                {table.header.map((cell, i) => (
                  <th key={i} className="border px-2 text-left">
                    {inline(cell.tokens)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {table.rows.map((row, i) => (
                <tr key={i}>
                  {row.map((cell, j) => (
                    <td key={j} className="border px-2">
                      {inline(cell.tokens)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )
    }
    case 'text': {
      const { tokens, text } = token as Tokens.Text
      return tokens ? inline(tokens) : visible(text)
    }
    default:
      return <p className="my-1 whitespace-pre-wrap">{visible(token.raw)}</p>
  }
}

function inline(tokens: readonly Token[] | undefined): ReactNode {
  return tokens?.map((token, i) => <Fragment key={i}>{span(token)}</Fragment>)
}

function span(token: Token): ReactNode {
  switch (token.type) {
    case 'strong':
      return <strong className="font-semibold">{inline((token as Tokens.Strong).tokens)}</strong>
    case 'em':
      return <em>{inline((token as Tokens.Em).tokens)}</em>
    case 'del':
      return <del>{inline((token as Tokens.Del).tokens)}</del>
    case 'codespan':
      return <code className="rounded-bar bg-sunken px-1 font-mono text-[12px]">{visible((token as Tokens.Codespan).text)}</code>
    case 'br':
      return <br />
    case 'link': {
      const link = token as Tokens.Link
      return <Away href={link.href}>{inline(link.tokens)}</Away>
    }
    case 'image': {
      const image = token as Tokens.Image
      return <Away href={image.href}>Image{image.text ? ` · ${visible(image.text)}` : ''}</Away>
    }
    case 'escape':
    case 'text': {
      const { tokens, text } = token as Tokens.Text
      return tokens ? inline(tokens) : visible(text)
    }
    default:
      return visible(token.raw) // HTML among it
  }
}

/** A link out of Pulse, which says where it leads; what leads elsewhere than to a page or a mailbox is text. */
function Away({ href, children }: { href: string; children: ReactNode }) {
  if (!/^(https?:|mailto:)/i.test(href)) return <>{children}</>
  return (
    <a href={href} target="_blank" rel="noopener noreferrer" title={visible(href)} className="text-accent underline">
      {children}
    </a>
  )
}
