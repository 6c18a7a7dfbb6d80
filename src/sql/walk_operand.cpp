#include <algorithm>

#include "walker.hpp"

namespace sherd::sql {

// $1, 5, -5, 'x', t.c, NULL, TRUE, DEFAULT, and casts of those but of columns. All else stays
// kOpaque.
void Walker::operand(const Node* node, Operand& out) const {
  if (node == nullptr) {
    return;
  }
  switch (node->type) {
    case T_A_Const:
      constant(as<A_Const>(node), out);
      return;
    case T_ColumnRef: {
      const auto* reference = as<::ColumnRef>(node);
      if (!column(reference, out.column) || out.column.name == "*") {
        out.column = {};
        return;
      }
      out.kind = Operand::Kind::kColumn;
      if (const std::uint32_t at = tokens_.at(reference->location); at != Tokens::kNone) {
        const auto fields = static_cast<std::uint32_t>(length_of(reference->fields));
        out.span = span_of(TokenRange{at, at + 2 * fields - 1});
      }
      return;
    }
    case T_ParamRef: {
      const auto* parameter = as<ParamRef>(node);
      if (parameter->number > 0) {
        out.kind = Operand::Kind::kParameter;
        out.number = static_cast<std::uint32_t>(parameter->number);
        if (const std::uint32_t at = tokens_.at(parameter->location); at != Tokens::kNone) {
          out.span = span_of(TokenRange{at, at + 1});
        }
      }
      return;
    }
    case T_SetToDefault:
      out.kind = Operand::Kind::kDefault;
      return;
    case T_TypeCast:
      cast_operand(as<TypeCast>(node), out);
      return;
    default:
      return;
  }
}

void Walker::constant(const A_Const* node, Operand& out) const {
  const std::uint32_t at = tokens_.at(node->location);
  if (node->isnull || node->val.node.type == T_Boolean) {
    const bool truth = !node->isnull && node->val.boolval.boolval;
    out.kind = node->isnull ? Operand::Kind::kNull
               : truth      ? Operand::Kind::kTrue
                            : Operand::Kind::kFalse;
    if (at != Tokens::kNone) {
      out.span = span_of(TokenRange{at, at + 1});
    }
    return;
  }
  if (!literal_at(node->location, out)) {
    out = {};
  }
}

// The grammar folds a minus sign into a number and sets the constant's place to the sign; the sign
// is read from the text and not from the value, since it must hold for every value (-0 too) under
// the same key.
bool Walker::literal_at(std::int64_t offset, Operand& out) const {
  if (offset < 0 || literals_.empty()) {
    return false;
  }
  const auto found = std::ranges::lower_bound(literals_, offset, {}, [](const Literal& literal) {
    return std::int64_t{literal.span.begin};
  });
  if (found == literals_.end() || !found->is_whole) {
    return false;
  }
  bool negated = false;
  std::uint32_t brackets = 0;
  const std::string_view text = tokens_.text();
  for (auto at = static_cast<std::size_t>(offset); at < found->span.begin; ++at) {
    const char c = text[at];
    negated ^= c == '-';
    brackets += c == '(' ? 1 : 0;
    const bool is_comment = c == '-' && text[at + 1] == '-';
    if (is_comment || (c != '-' && c != '(' && !chars::is(c, chars::kSpace))) {
      return false;
    }
  }
  out.kind = Operand::Kind::kLiteral;
  out.number = static_cast<std::uint32_t>(found - literals_.begin());
  out.negated = negated;
  out.span = span_of(static_cast<std::uint32_t>(offset), found->span.end());
  if (brackets > 0) {
    out.span.length = 0;
  }
  return true;
}

void Walker::cast_operand(const TypeCast* node, Operand& out) const {
  const bool is_value = is_node(node->arg, T_A_Const) || is_node(node->arg, T_ParamRef);
  TypeName cast;
  if (!is_value || !type_name(node->typeName, cast)) {
    return;  // of a column or of another cast: may be another value
  }
  operand(node->arg, out);
  const bool is_truth = out.kind == Operand::Kind::kTrue || out.kind == Operand::Kind::kFalse;
  if (out.kind == Operand::Kind::kOpaque || (is_truth && cast.name == "bool")) {
    return;  // TRUE is a cast in the tree
  }
  out.cast = std::move(cast);
  const std::uint32_t at = tokens_.at(node->location);
  if (at != Tokens::kNone && tokens_.is(at + 1, '(')) {
    out.span = span_of(TokenRange{at, tokens_[at + 1].match + 1});  // CAST(x AS type)
  } else if (node->location < 0 && node->typeName->location >= 0) {
    out.span = span_of(
        static_cast<std::uint32_t>(node->typeName->location), out.span.end() + out_.text_begin
    );  // type 'x'
  } else {
    out.span.length = 0;
  }
}

// @return false if it has more parts than catalog.schema.table.column.
bool Walker::column(const ::ColumnRef* node, ColumnRef& out) {
  const ListOf<> fields(node->fields);
  const std::size_t count = fields.size();
  out.name = is_node(fields.back(), T_A_Star) ? std::string_view("*") : string_of(fields.back());
  if (count > 1) {
    out.qualifier = string_of(fields[count - 2]);
  }
  if (count > 2) {
    out.schema = string_of(fields[count - 3]);
  }
  return count <= 4;
}

// @return false for what is no plain type (SETOF, %TYPE, a name of more than two parts).
bool Walker::type_name(const ::TypeName* node, TypeName& out) {
  const ListOf<> names(node->names);
  if (names.empty() || names.size() > 2 || node->setof || node->pct_type) {
    return false;
  }
  out.name = string_of(names.back());
  if (names.size() == 2 && string_of(names[0]) != "pg_catalog") {
    out.schema = string_of(names[0]);
  }
  out.is_array = length_of(node->arrayBounds) > 0;
  out.has_modifier = length_of(node->typmods) > 0;
  return true;
}

}  // namespace sherd::sql
