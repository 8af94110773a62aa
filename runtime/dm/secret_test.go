package dm_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

const hush = "hunter2!"

// spellings returns the forms in which the secret could appear in a text.
func spellings() []string {
	decimal := strings.Trim(fmt.Sprint([]byte(hush)), "[]")
	goSyntax := strings.Trim(fmt.Sprintf("%#v", []byte(hush)), "[]byte{}")
	return []string{
		hush, decimal, goSyntax, hex.EncodeToString([]byte(hush)), strings.ToUpper(hex.EncodeToString([]byte(hush))),
		base64.StdEncoding.EncodeToString([]byte(hush)), "hunter", "104 117",
	}
}

// checkHidden prints v in every way in which a log line can be produced, and searches for the
// secret.
func checkHidden(t *testing.T, name string, v any) {
	t.Helper()
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%t",
		"%e", "%g", "%p", "%T", "%20.3s", "%-8v", "%z"} {
		fmt.Fprintf(&out, verb+"\n", v)
	}
	fmt.Fprintln(&out, v)
	fmt.Fprint(&out, v)
	fmt.Fprintln(&out, fmt.Errorf("wrapped: %v", v))
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("subscriber", "value", v, slog.Group("group", "value", v))
		slog.New(h).With("value", v).Info("subscriber")
	}
	if b, err := json.Marshal(v); err == nil {
		out.Write(b)
	}
	if b, err := json.MarshalIndent(map[string]any{"a": []any{v}}, "", " "); err == nil {
		out.Write(b)
	}
	for _, s := range spellings() {
		if i := strings.Index(out.String(), s); i >= 0 {
			t.Errorf("%s shows %q: ...%q...", name, s, out.String()[max(0, i-60):min(out.Len(), i+60)])
		}
	}
}

// vault is an instance with secrets of both kinds.
type vault struct {
	Key      dm.Res[dm.Secret]
	Password dm.Res[dm.SecretString]
	Keys     dm.Multi[dm.Secret]
	Words    dm.Multi[dm.SecretString]
}

func (v *vault) cell(id dm.ResourceID) dm.Cell {
	switch id {
	case 0:
		return &v.Key
	case 1:
		return &v.Password
	case 2:
		return &v.Keys
	case 3:
		return &v.Words
	}
	return nil
}

const vaultID dm.ObjectID = 33003

var vaultDefinition = registry.Object{
	ID: uint16(vaultID), Name: "Vault", Multiple: true,
	Resources: []registry.Resource{
		{ID: 0, Name: "Key", Ops: registry.RW, Type: registry.Opaque, Secret: true, Range: registry.Between(0, 16)},
		{ID: 1, Name: "Password", Ops: registry.RW, Type: registry.String, Secret: true,
			Range: registry.Between(0, 16)},
		{ID: 2, Name: "Keys", Type: registry.Opaque, Secret: true, Multiple: true},
		{ID: 3, Name: "Words", Type: registry.String, Secret: true, Multiple: true},
	},
}

func fullVault() vault {
	return vault{
		Key: dm.Key([]byte(hush)), Password: dm.Password(hush),
		Keys: dm.List(dm.NewSecret([]byte(hush))), Words: dm.List(dm.NewSecretString(hush)),
	}
}

// hidden is a user's struct with secrets in unexported fields, which fmt reads by reflection.
type hidden struct {
	secret  dm.Secret
	text    dm.SecretString
	key     dm.Res[dm.Secret]
	keys    dm.Multi[dm.Secret]
	inst    vault
	pointer *vault
	list    []dm.Secret
	named   map[string]dm.SecretString
	value   dm.Value
	entry   dm.Entry
	boxed   any
}

func secretValue(t *testing.T) dm.Value {
	t.Helper()
	o, err := dm.NewObject(&vaultDefinition, (*vault).cell, dm.ObjectConfig[vault]{})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Add(0, fullVault()); err != nil {
		t.Fatal(err)
	}
	v, err := newModel(t, dm.ModelConfig{}, o).Snapshot().Value(context.Background(), dm.Application,
		dm.ResourcePath(vaultID, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if !v.IsSecret() || string(v.Opaque()) != hush {
		t.Fatalf("the application reads %q, secret: %t", v.Opaque(), v.IsSecret())
	}
	return v
}

func TestSecretsDoNotShow(t *testing.T) {
	s, p, v, inst := dm.NewSecret([]byte(hush)), dm.NewSecretString(hush), secretValue(t), fullVault()
	entry := dm.Entry{Path: dm.ResourcePath(vaultID, 0, 0), Value: v}
	inside := hidden{s, p, inst.Key, inst.Keys, inst, &inst, []dm.Secret{s},
		map[string]dm.SecretString{"a": p}, v, entry, entry}
	for name, shown := range map[string]any{
		"Secret": s, "*Secret": &s, "SecretString": p, "*SecretString": &p, "Value": v, "*Value": &v,
		"Res[Secret]": inst.Key, "*Res[Secret]": &inst.Key, "Res[SecretString]": inst.Password,
		"Multi[Secret]": inst.Keys, "Multi[SecretString]": inst.Words, "*Multi[Secret]": &inst.Keys,
		"instance": inst, "*instance": &inst, "instances": []vault{inst}, "pointers": []*vault{&inst},
		"Entry": entry, "*Entry": &entry, "entries": []dm.Entry{entry},
		"unexported fields": inside, "pointer to unexported fields": &inside,
		"map": map[string]any{"a": s, "b": v}, "array": [1]dm.Secret{s},
		"nested": struct{ A struct{ b hidden } }{struct{ b hidden }{inside}},
	} {
		checkHidden(t, name, shown)
	}
}

// Errors about a secret do not show it.
func TestErrorsKeepSecrets(t *testing.T) {
	long := strings.Repeat(hush, 3)
	o, err := dm.NewObject(&vaultDefinition, (*vault).cell, dm.ObjectConfig[vault]{})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Add(0, fullVault()); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	key, password := dm.ResourcePath(vaultID, 0, 0), dm.ResourcePath(vaultID, 0, 1)
	for _, err := range []error{
		o.Add(1, vault{Key: dm.Key([]byte(long)), Password: dm.Password(long)}),
		o.Add(1, vault{Password: dm.Password(hush + "\xff")}),
		o.Update(context.Background(), 0, func(v *vault) error { v.Password.Set(dm.NewSecretString(long)); return nil }),
		write(m, dm.Server(1), key, dm.Replace, dm.Entry{Path: key, Value: dm.OpaqueValue([]byte(long))}),
		write(m, dm.Server(1), key, dm.Replace, dm.Entry{Path: key, Value: dm.StringValue(hush)}),
		write(m, dm.Server(1), password, dm.Replace, dm.Entry{Path: password, Value: dm.StringValue(hush + "\xff")}),
		write(m, dm.Server(1), password, dm.Replace, dm.Entry{Path: key, Value: dm.StringValue(hush)}),
	} {
		if err == nil {
			t.Error("a wrong secret was taken")
			continue
		}
		checkHidden(t, "error", err)
	}
}

func TestSecret(t *testing.T) {
	b := []byte(hush)
	s := dm.NewSecret(b)
	b[0] = 'X'
	if got := s.Reveal(); string(got) != hush {
		t.Errorf("the secret is %q after its source changed", got)
	}
	s.Reveal()[0] = 'X'
	if got := s.Reveal(); string(got) != hush {
		t.Errorf("the secret is %q after a change of the revealed bytes", got)
	}
	if s.Len() != len(hush) {
		t.Errorf("Len is %d", s.Len())
	}
	if !s.Equal(dm.NewSecret([]byte(hush))) || s.Equal(dm.NewSecret([]byte("hunter3!"))) || s.Equal(dm.Secret{}) {
		t.Error("Equal is wrong")
	}
	var zero dm.Secret
	if zero.Len() != 0 || len(zero.Reveal()) != 0 || !zero.Equal(dm.NewSecret(nil)) {
		t.Error("the zero Secret is not empty")
	}
	p := dm.NewSecretString(hush)
	var none dm.SecretString
	if p.Reveal() != hush || none.Reveal() != "" || !p.Equal(dm.NewSecretString(hush)) || p.Equal(none) {
		t.Error("SecretString is wrong")
	}
	if got := fmt.Sprintf("%v %s %#v", s, p, none); got != "[redacted] [redacted] [redacted]" {
		t.Errorf("secrets print as %q", got)
	}
	if got, err := json.Marshal(map[string]any{"a": s, "b": p}); err != nil ||
		string(got) != `{"a":"[redacted]","b":"[redacted]"}` {
		t.Errorf("secrets are %s, %v in JSON", got, err)
	}
}

// A server never reads the value of a secret resource, whatever its operations are.
func TestSecretsAreNotRead(t *testing.T) {
	o, err := dm.NewObject(&vaultDefinition, (*vault).cell, dm.ObjectConfig[vault]{})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Add(0, fullVault()); err != nil {
		t.Fatal(err)
	}
	s := newModel(t, dm.ModelConfig{}, o).Snapshot()
	ctx := context.Background()
	for _, who := range []dm.Origin{dm.Server(1), dm.Bootstrap} {
		for _, p := range []string{"/", "/33003", "/33003/0"} {
			err := s.Read(ctx, who, path(t, p), func(p dm.Path, v dm.Value) error {
				t.Errorf("%v reads %v", who, p)
				return nil
			})
			if err != nil {
				t.Errorf("%v reading %s: %v", who, p, err)
			}
		}
		for _, p := range []string{"/33003/0/0", "/33003/0/1", "/33003/0/2", "/33003/0/2/0", "/33003/0/3/0"} {
			if v, err := s.Value(ctx, who, path(t, p)); dm.CodeOf(err) != dm.MethodNotAllowed {
				t.Errorf("%v reads %s: %v, %v, want 4.05", who, p, v, err)
			}
			err := s.Read(ctx, who, path(t, p), func(dm.Path, dm.Value) error { return nil })
			if dm.CodeOf(err) != dm.MethodNotAllowed {
				t.Errorf("%v reads %s: %v, want 4.05", who, p, err)
			}
		}
	}
	for _, p := range []string{"/33003/0/0", "/33003/0/1", "/33003/0/2/0", "/33003/0/3/0"} {
		if v, err := s.Value(ctx, dm.Application, path(t, p)); err != nil || !v.IsSecret() {
			t.Errorf("the application reads %s: %v, %v", p, v, err)
		}
	}
}
