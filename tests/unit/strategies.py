"""What Hypothesis builds events and subscriptions from."""

from typing import Any

from hypothesis import strategies as st

from hermes.core.channel import name_problem

# Everything that has ever broken a stream: line ends of three standards, field separators, marks, halves of pairs.
ODD = "\r\n\0\t :,*\x7f\x85\u00a0\u2028\u2029\ufeff\ud800\udfff\U0001f600é"

odd_text = st.text(st.one_of(st.sampled_from(ODD), st.characters()), max_size=20)
names = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1, max_size=20).filter(
    lambda name: name_problem(name) is None
)

_numbers = st.one_of(
    st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0, 1, -0.0])
)
_text = st.text(
    st.one_of(st.sampled_from(ODD.replace("\ud800", "").replace("\udfff", "")), st.characters(codec="utf-8"))
)
_scalars = st.one_of(st.none(), st.booleans(), _numbers, _text)

json_values: st.SearchStrategy[Any] = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_text, inner, max_size=4)),
    max_leaves=12,
)
