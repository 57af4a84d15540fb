export {
  countOf,
  daysOf,
  formatDate,
  formatMoney,
  type Money,
  plainMoney,
  wordsOf,
} from './format';
export { type Frontend, frontendAt, frontendId } from './gateway/frontend';
export { createGateway, type Gateway } from './gateway/gateway';
export { type Fault, hasCode, unanswered } from './gateway/notice';
export { go, href, useRoute } from './state/route';
export { createSession, type Session } from './state/session';
export { type Store, useStore } from './state/store';
export { Frame, type Place } from './ui/Frame';
export { Picture } from './ui/Picture';
export { Stars } from './ui/Stars';
export { Empty, Loading, Partial, Problem } from './ui/states';
export { Title } from './ui/Title';
export { Wide } from './ui/Wide';
