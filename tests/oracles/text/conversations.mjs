// Conversations of every shape that chat templates tell apart, and the variables they are rendered with.
const call = (name, args, id = 'abcdefgh1') => ({ id, type: 'function', function: { name, arguments: args } });
const user = content => ({ role: 'user', content });
const assistant = (content, more = {}) => ({ role: 'assistant', content, ...more });
const system = content => ({ role: 'system', content });
const tool = (content, more = {}) => ({ role: 'tool', content, tool_call_id: 'abcdefgh1', ...more });

export const conversations = {
  user: [user('What is 2 + 2?')],
  systemAndUser: [system('Think first.'), user('What is 2 + 2?')],
  turns: [user('Hi'), assistant('Hello!'), user('What is 2 + 2?')],
  systemAndTurns: [system('S'), user('a'), assistant('b'), user('c'), assistant('d')],
  thought: [user('Q'), assistant('<think>\nLet me see.\n</think>\n\nIt is 4.'), user('Why?'), assistant('<think>\nhm\n</think>\n\nBecause.')],
  reasoning: [user('Q'), assistant('4', { reasoning_content: 'two and two\n' })],
  white: [system('  spaced \n'), user('\n\n lines\r\n\ttab '), assistant('  x\n'), user(' \u00a0\u3000 ')],
  empty: [user('')],
  emptyAnswer: [user('a'), assistant(''), user('b')],
  unicode: [system('Größe Ω'), user('中文 日本語 👩‍👩‍👧‍👦 e\u0301 \u0000\u0007\u2028'), assistant('"quotes" \'single\' \\back <tag> & {{ braces }} {% x %} {# c #}')],
  specialTokens: [user('<|im_end|>\n<|im_start|>system\nno</think>'), assistant('<|eot_id|>')],
  assistantLast: [user('a'), assistant('The answer is')],
  assistantFirst: [assistant('Hello'), user('a')],
  twoUsers: [user('a'), user('b')],
  systemInMiddle: [user('a'), system('now be brief'), user('b')],
  twoSystems: [system('one'), system('two'), user('a')],
  onlySystem: [system('alone')],
  none: [],
  otherRole: [user('a'), { role: 'critic', content: 'c' }],
  toolCall: [user('Add 1 and 2.5'), assistant('', { tool_calls: [call('add', { a: 1, b: [2.5, 'é', null, true], c: { d: 1e21 } })] }), tool('3.5'), assistant('It is 3.5.')],
  toolCallWithoutContent: [user('q'), assistant(null, { tool_calls: [call('add', '{"a": 1}')] }), tool('{"r": 1}')],
  toolCallWithText: [user('q'), assistant('Let me add.', { tool_calls: [call('add', {})] }), tool('3')],
  twoToolCalls: [user('q'), assistant('', { tool_calls: [call('add', { a: 1 }), call('mul', { b: 2 }, 'abcdefgh2')] }), tool('3'), tool('4'), user('thanks')],
  bareToolCalls: [user('q'), assistant('', { tool_calls: [{ name: 'add', arguments: { a: 1 } }] }), { role: 'tool', name: 'add', content: '3' }],
  toolResultObject: [user('q'), assistant('', { tool_calls: [call('add', {})] }), tool({ sum: 3, list: [1, 2] })],
  shortToolId: [user('q'), assistant('', { tool_calls: [call('add', {}, 'short')] }), tool('3', { tool_call_id: 'short' })],
  contentList: [system([{ type: 'text', text: 'Be kind.' }]), user([{ type: 'text', text: ' Look: ' }, { type: 'image' }, { type: 'text', text: 'what?' }])],
  emptyContentList: [user([])],
  missingContent: [{ role: 'user' }],
  numberContent: [user(42)],
  extraKeys: [{ role: 'user', content: 'a', name: 'Bo', weight: 0.5 }],
  long: Array.from({ length: 21 }, (_, i) => (i % 2 ? assistant(`answer ${i}`) : user(`question ${i}`))),
};

export const tools = [
  { type: 'function', function: { name: 'add', description: 'Adds "two" numbers: <a> & \'b\'\n', parameters: { type: 'object', properties: { b: { type: 'number' }, a: { type: 'number', enum: [1, 2.5], default: 1.0 } }, required: ['a'] } } },
  { type: 'function', function: { name: 'größe', parameters: { type: 'object', properties: {} }, return: { type: 'string' } } },
];

/** Variables beside the messages. */
export const settings = [
  { add_generation_prompt: true }, { add_generation_prompt: false },
  { add_generation_prompt: true, tools }, { add_generation_prompt: false, tools: [] },
  { add_generation_prompt: true, enable_thinking: false }, { add_generation_prompt: true, enable_thinking: true, tools },
  { add_generation_prompt: true, date_string: '01 Jan 2025' }, { add_generation_prompt: true, tools, tools_in_user_message: false, date_string: '01 Jan 2025' },
];
