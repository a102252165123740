"""The network that translates: a bidirectional encoder, additive attention, a decoder.

Bahdanau et al. 2014 (arXiv 1409.0473), with E the embeddings, h_j the encoder's states and s_i the
decoder's:

    e_ij = v . tanh(W s_{i-1} + U h_j)      a_i = softmax(e_i)      c_i = sum_j a_ij h_j
    s_i  = GRU(s_{i-1}, [E y_{i-1}; c_i])   s_0 = tanh(W_s h_1, backwards)
    t_i  = tanh(W_t [s_i; E y_{i-1}; c_i])  p(y_i) = softmax(W_o t_i)

The readout t_i is one tanh layer as wide as the embeddings, where theirs was maxout. The gates are those
of torch.nn.GRU (the reset gate multiplies U h + b, not h). Their layers had 620 and 1000 units.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from adam_repro.data.parallel_text import BOS, PAD
from adam_repro.kernels.softmax_cost import Logits, softmax_cost
from adam_repro.tasks.base import apply_mask

Mask = Tensor | None


class Memory(NamedTuple):
    """What the decoder reads of n sources: states h_j [n, S, 2h], U h_j [n, S, a], padding [n, S]."""

    states: Tensor
    keys: Tensor
    padding: Tensor

    def repeated(self, times: int) -> Memory:
        """Every source so many times in a row, for as many hypotheses."""
        return Memory(*(part.repeat_interleave(times, 0) for part in self))


class TokenCosts(NamedTuple):
    """-log p of every token in nats, and whether it is one and no padding; both [n, T]."""

    costs: Tensor
    tokens: Tensor


class Translator(nn.Module):
    """Ids of sources and targets to the cost of every target token; also one step at a time."""

    def __init__(self, source_words: int, target_words: int, embedding: int, state: int) -> None:
        super().__init__()
        self.source_embedding = nn.Embedding(source_words, embedding)
        self.target_embedding = nn.Embedding(target_words, embedding)
        self.forwards_input = nn.Linear(embedding, 3 * state)
        self.forwards_state = nn.Linear(state, 3 * state)
        self.backwards_input = nn.Linear(embedding, 3 * state)
        self.backwards_state = nn.Linear(state, 3 * state)
        self.start = nn.Linear(state, state)
        self.keys = nn.Linear(2 * state, state)
        self.query = nn.Linear(state, state, bias=False)
        self.energy = nn.Linear(state, 1, bias=False)
        self.word_input = nn.Linear(embedding, 3 * state)
        self.context_input = nn.Linear(2 * state, 3 * state, bias=False)
        self.decoder_state = nn.Linear(state, 3 * state)
        self.readout = nn.Linear(embedding + 3 * state, embedding)
        self.output = nn.Linear(embedding, target_words)

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        source_mask: Mask = None,
        state_mask: Mask = None,
        target_mask: Mask = None,
        readout_mask: Mask = None,
    ) -> TokenCosts:
        """Costs of the targets [n, T] given the sources [n, S], both with padding at their end.

        The masks [n, 1, width] are of dropout: a unit is dropped in all places of a sentence (Gal &
        Ghahramani 2016).
        """
        if source.device.type == "cpu":  # a GPU's step is recorded, with shapes that stay
            source, target = trimmed(source), trimmed(target)
        memory, state = self.encode(source, source_mask, state_mask)
        before = nn.functional.pad(target[:, :-1], (1, 0), value=BOS)
        words = apply_mask(self.target_embedding(before), target_mask)
        states, contexts = [], []
        for word in self.word_input(words).unbind(1):
            context = self.attend(state, memory)
            state = self.advance(word, context, state)
            states.append(state)
            contexts.append(context)
        hidden = self.read(torch.stack(states, 1), words, torch.stack(contexts, 1))
        return self._costs(apply_mask(hidden, readout_mask), target)

    def encode(
        self, source: Tensor, source_mask: Mask = None, state_mask: Mask = None
    ) -> tuple[Memory, Tensor]:
        """The memory of sources [n, S], and the state [n, h] that the decoder starts from."""
        padding = source == PAD
        words = apply_mask(self.source_embedding(source), source_mask)
        # Read backwards, a sentence begins with its last word: padding stays behind the words, and no
        # state of a word depends on it.
        mirror = _mirror(source.shape[1] - padding.sum(1, keepdim=True), source.shape[1])
        forwards = _states(self.forwards_input(words), self.forwards_state)
        mirrored = _states(self.backwards_input(_places(words, mirror)), self.backwards_state)
        backwards = _places(mirrored, mirror)
        states = torch.cat([forwards, backwards], 2)
        states = apply_mask(states, state_mask)
        start = torch.tanh(self.start(backwards[:, 0]))
        return Memory(states, self.keys(states), padding), start

    def attend(self, state: Tensor, memory: Memory) -> Tensor:
        """The context c_i [n, 2h], by the decoder's last state [n, h]."""
        hidden = torch.tanh(memory.keys + self.query(state)[:, None])
        energy = self.energy(hidden).squeeze(2)
        weights = energy.masked_fill(memory.padding, -torch.inf).softmax(1)
        return torch.bmm(weights[:, None], memory.states).squeeze(1)

    def advance(self, word: Tensor, context: Tensor, state: Tensor) -> Tensor:
        """The decoder's next state [n, h]; ``word`` is the word's part of the gates, [n, 3h]."""
        return _gated(word + self.context_input(context), self.decoder_state(state), state)

    def read(self, states: Tensor, words: Tensor, contexts: Tensor) -> Tensor:
        """The readouts t_i of states, embedded words and contexts."""
        return torch.tanh(self.readout(torch.cat([states, words, contexts], -1)))

    def step(self, before: Tensor, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """log p of every next word [n, words] after the words ``before`` [n], and the new state."""
        words = self.target_embedding(before)
        context = self.attend(state, memory)
        state = self.advance(self.word_input(words), context, state)
        return self.output(self.read(state, words, context)).log_softmax(1), state

    def _costs(self, hidden: Tensor, target: Tensor) -> TokenCosts:
        tokens = target != PAD
        flat, wanted = hidden.flatten(0, 1), target.flatten()
        if target.device.type != "cpu":
            costs = softmax_cost(self._logits(flat), wanted).view(target.shape)
            return TokenCosts(costs * tokens, tokens)
        # The softmax is a third of the work: leave out the padding.
        places = tokens.flatten().nonzero().squeeze(1)
        kept = softmax_cost(self._logits(flat[places]), wanted[places])
        costs = kept.new_zeros(len(wanted)).index_copy(0, places, kept)
        return TokenCosts(costs.view(target.shape), tokens)

    def _logits(self, hidden: Tensor) -> Logits:
        return Logits(hidden, self.output.weight, self.output.bias)


def trimmed(ids: Tensor) -> Tensor:
    """Ids [n, length] without the columns that hold nothing but padding."""
    return ids[:, : int((ids != PAD).sum(1).max())]


def _gated(inputs: Tensor, recurrent: Tensor, state: Tensor) -> Tensor:
    """The next state [n, h]: ``inputs`` and ``recurrent`` [n, 3h] are what both add to the gates.

    r = sigmoid(i_r + g_r), z = sigmoid(i_z + g_z), m = tanh(i_m + r g_m), s' = m + z (s - m)
    """
    h = state.shape[1]
    reset, update = torch.sigmoid(inputs[:, : 2 * h] + recurrent[:, : 2 * h]).chunk(2, 1)
    new = torch.tanh(torch.addcmul(inputs[:, 2 * h :], reset, recurrent[:, 2 * h :]))
    return torch.lerp(new, state, update)


def _states(inputs: Tensor, layer: nn.Linear) -> Tensor:
    """All states [n, S, h] of a layer that starts at zero; ``inputs`` [n, S, 3h] are of its gates."""
    state = inputs.new_zeros(len(inputs), layer.in_features)
    states = []
    for step in inputs.unbind(1):
        state = _gated(step, layer(state), state)
        states.append(state)
    return torch.stack(states, 1)


def _mirror(lengths: Tensor, size: int) -> Tensor:
    """The place [n, size] of every word when each sentence is read backwards; padding stays."""
    place = torch.arange(size, device=lengths.device).expand(len(lengths), size)
    return torch.where(place < lengths, lengths - 1 - place, place)


def _places(values: Tensor, places: Tensor) -> Tensor:
    """``values`` [n, size, width] at other places [n, size]."""
    return values.gather(1, places[:, :, None].expand_as(values))
