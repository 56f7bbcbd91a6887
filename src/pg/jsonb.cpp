#include "pg/jsonb.h"

#include <charconv>
#include <cstdint>

#include "pg/guard.h"

namespace terra_identity::pg {
namespace {

template <class Integer>
bool is_a(std::string_view digits) {
    Integer value;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size();
}

} // namespace

JsonbView::JsonbView(const Jsonb* jsonb) {
    const JsonbContainer* const root = &jsonb->root;
    if (JsonContainerIsScalar(root)) {
        *this = child(root, 0);
        return;
    }
    kind_ = JsonContainerIsObject(root) ? Kind::object : Kind::array;
    start_ = reinterpret_cast<const char*>(root);
    size_ = VARSIZE(jsonb) - VARHDRSZ;
}

JsonbView JsonbView::child(const JsonbContainer* container, int index) {
    const int children = static_cast<int>(JsonContainerSize(container)) * (JsonContainerIsObject(container) ? 2 : 1);
    const char* const base = reinterpret_cast<const char*>(&container->children[children]);
    const JEntry entry = container->children[index];
    const std::uint32_t offset = getJsonbOffset(container, index);
    JsonbView view;
    view.start_ = base + offset;
    if (JBE_ISNULL(entry)) {
        view.kind_ = Kind::null;
    } else if (JBE_ISSTRING(entry)) {
        view.kind_ = Kind::string;
        view.size_ = getJsonbLength(container, index);
    } else if (JBE_ISNUMERIC(entry)) {
        view.kind_ = Kind::number;
        view.start_ = base + INTALIGN(offset);
    } else if (JBE_ISBOOL(entry)) {
        view.kind_ = JBE_ISBOOL_TRUE(entry) ? Kind::boolean_true : Kind::boolean_false;
    } else {
        view.start_ = base + INTALIGN(offset);
        view.size_ = getJsonbLength(container, index) - (INTALIGN(offset) - offset);
        const auto* const nested = reinterpret_cast<const JsonbContainer*>(view.start_);
        view.kind_ = JsonContainerIsObject(nested) ? Kind::object : Kind::array;
    }
    return view;
}

std::string JsonbView::integer() const {
    const char* const digits = call([this] {
        return DatumGetCString(
            DirectFunctionCall1(numeric_out, NumericGetDatum(reinterpret_cast<Numeric>(const_cast<char*>(start_)))));
    });
    const std::string_view text(digits);
    return is_a<std::int64_t>(text) || is_a<std::uint64_t>(text) ? std::string(text) : std::string();
}

/// Members are sorted by the length of their names, then by bytes.
JsonbView JsonbView::member(std::string_view key) const {
    const auto* const container = reinterpret_cast<const JsonbContainer*>(start_);
    JsonbValue value;
    if (getKeyJsonValueFromContainer(const_cast<JsonbContainer*>(container), key.data(), static_cast<int>(key.size()),
                                     &value) == nullptr)
        return {};
    JsonbView view;
    switch (value.type) {
    case jbvNull:
        view.kind_ = Kind::null;
        break;
    case jbvString:
        view.kind_ = Kind::string;
        view.start_ = value.val.string.val;
        view.size_ = static_cast<std::size_t>(value.val.string.len);
        break;
    case jbvNumeric:
        view.kind_ = Kind::number;
        view.start_ = reinterpret_cast<const char*>(value.val.numeric);
        break;
    case jbvBool:
        view.kind_ = value.val.boolean ? Kind::boolean_true : Kind::boolean_false;
        break;
    default:
        view.size_ = static_cast<std::size_t>(value.val.binary.len);
        view.start_ = reinterpret_cast<const char*>(value.val.binary.data);
        view.kind_ = JsonContainerIsObject(value.val.binary.data) ? Kind::object : Kind::array;
    }
    return view;
}

NullableValue JsonbView::copy() const {
    JsonbValue value{};
    switch (kind_) {
    case Kind::absent:
        return {};
    case Kind::null:
        value.type = jbvNull;
        break;
    case Kind::boolean_false:
    case Kind::boolean_true:
        value.type = jbvBool;
        value.val.boolean = kind_ == Kind::boolean_true;
        break;
    case Kind::number:
        value.type = jbvNumeric;
        value.val.numeric = reinterpret_cast<Numeric>(const_cast<char*>(start_));
        break;
    case Kind::string:
        value.type = jbvString;
        value.val.string.val = const_cast<char*>(start_);
        value.val.string.len = static_cast<int>(size_);
        break;
    case Kind::array:
    case Kind::object:
        value.type = jbvBinary;
        value.val.binary.data = reinterpret_cast<JsonbContainer*>(const_cast<char*>(start_));
        value.val.binary.len = static_cast<int>(size_);
        break;
    }
    return PointerGetDatum(call([&value] { return JsonbValueToJsonb(&value); }));
}

static_assert(JsonValue<JsonbView>);

const Jsonb* jsonb_of(const JsonTree& json) {
    const std::string text = json.dump();
    return DatumGetJsonbP(call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.c_str())); }));
}

const Jsonb* without_member(const Jsonb* object, std::string_view name) {
    const Datum text = text_of(name);
    return DatumGetJsonbP(call([=] { return DirectFunctionCall2(jsonb_delete, JsonbPGetDatum(object), text); }));
}

const Jsonb* detoasted_jsonb(Datum datum) {
    auto* const value = reinterpret_cast<struct varlena*>(DatumGetPointer(datum));
    if (!VARATT_IS_EXTENDED(value))
        return reinterpret_cast<const Jsonb*>(value);
    return reinterpret_cast<const Jsonb*>(call([value] { return pg_detoast_datum(value); }));
}

Datum jsonb_of_text(const std::string& text) {
    return call([json = text.c_str()] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(json)); });
}

JsonbView view_of(const NullableValue& jsonb) {
    return jsonb.is_null ? JsonbView() : JsonbView(detoasted_jsonb(jsonb.value));
}

} // namespace terra_identity::pg
