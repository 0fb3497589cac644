// Prints go-types.ts: the Go structs that a kube-apiserver decodes the simulated kinds into. Run it again for a new
// Kubernetes release:  go run . > ../go-types.ts  (then format that file).
// With the argument numbers it prints the fields' protobuf numbers:  go run . numbers > ../../api/protobuf/field-numbers.ts
package main

import (
	"fmt"
	"os"
	"sort"
	"reflect"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

type out = map[string]any

var types = map[string][][]any{}

// JSON name to protobuf number, by struct; "1.2" for a field of an embedded struct, which is a message of its own
var numbers = map[string][]string{}

// a type expression: "q" quantity, "is" intOrString, "t" time, "mt" microtime, "d" duration, "s:GoName", "b", "i32", "i64", "y" (bytes), "*" any; "[]X"; "{}X" ; "@Name"
func expr(t reflect.Type) string {
	switch t {
	case reflect.TypeOf(resource.Quantity{}):
		return "quantity"
	case reflect.TypeOf(intstr.IntOrString{}):
		return "intOrString"
	case reflect.TypeOf(metav1.Time{}):
		return "time"
	case reflect.TypeOf(metav1.MicroTime{}):
		return "microTime"
	case reflect.TypeOf(metav1.FieldsV1{}):
		return "any"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return expr(t.Elem())
	case reflect.String:
		if t.Name() == "string" {
			return "string"
		}
		return "string:" + t.String()
	case reflect.Bool:
		return "bool"
	case reflect.Int32, reflect.Int64, reflect.Int, reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return t.String()
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[" + t.String() + "]" + expr(t.Elem())
	case reflect.Map:
		return "{" + t.String() + "}" + expr(t.Elem())
	case reflect.Struct:
		add(t)
		return "@" + t.String()
	case reflect.Interface:
		return "any"
	}
	panic(fmt.Sprint("unknown ", t))
}

func fields(t reflect.Type, embedded string) [][]any {
	var fs [][]any
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("json"), ",")
		name := tag[0]
		omit, inline := false, false
		omitzero := false
		for _, o := range tag[1:] {
			if o == "omitempty" {
				omit = true
			}
			if o == "inline" {
				inline = true
			}
			if o == "omitzero" {
				omitzero = true
			}
		}
		if name == "-" || !f.IsExported() {
			continue
		}
		if (f.Anonymous && name == "") || inline {
			fs = append(fs, fields(deref(f.Type), embedded+f.Name+".")...)
			continue
		}
		if name == "" {
			name = f.Name
		}
		fl := ""
		if omit {
			fl += "o"
		}
		if omitzero {
			fl += "z"
		}
		if f.Type.Kind() == reflect.Pointer {
			fl += "p"
		}
		if embedded != "" {
			if fl == "" {
				fl = "-"
			}
			fl += " " + embedded
		}
		fs = append(fs, []any{name, expr(f.Type), fl})
	}
	return fs
}
func protobufNumbers(t reflect.Type, prefix string) []string {
	var found []string
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("protobuf"), ",")
		name := strings.Split(f.Tag.Get("json"), ",")[0]
		if len(tag) < 2 {
			continue
		}
		if name == "" {
			found = append(found, protobufNumbers(deref(f.Type), prefix+tag[1]+".")...)
			continue
		}
		found = append(found, name+"="+prefix+tag[1])
	}
	return found
}

func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

func add(t reflect.Type) {
	n := t.String()
	if t.PkgPath() != "" {
		_ = n
	}
	if _, ok := types[n]; ok {
		return
	}
	types[n] = nil
	types[n] = fields(t, "")
	numbers[n] = protobufNumbers(t, "")
}

const head = `/**
 * The Go structs that a kube-apiserver 1.36 decodes the simulated kinds into, printed by go-types/main.go from the
 * published modules (long because it is a table). One string per field: JSON name, type, flags.
 * Types: @struct, [Go type]element, {Go type}value, string:Go type, and plain words. Flags: o omitempty, z omitzero,
 * p pointer; a fourth word is the path of embedded structs, which decoding errors show.
 */
`

const numbersHead = `/**
 * The protobuf numbers of the fields that go-types.ts lists, printed by go-types/main.go with the argument numbers (long
 * because it is a table). A number with a dot is that of a field in an embedded struct, which is a message of its own.
 */
export const fieldNumbers: Readonly<Record<string, string>> = {
`

func main() {
	roots := out{}
	for k, v := range map[string]any{
		"pods": corev1.Pod{}, "nodes": corev1.Node{}, "namespaces": corev1.Namespace{}, "events": corev1.Event{},
		"configmaps": corev1.ConfigMap{}, "secrets": corev1.Secret{}, "serviceaccounts": corev1.ServiceAccount{},
		"persistentvolumeclaims": corev1.PersistentVolumeClaim{}, "persistentvolumes": corev1.PersistentVolume{},
		"deployments": appsv1.Deployment{}, "replicasets": appsv1.ReplicaSet{},
		
		"horizontalpodautoscalers": autoscalingv2.HorizontalPodAutoscaler{},
		"leases": coordv1.Lease{}, "runtimeclasses": nodev1.RuntimeClass{}, "scale": autoscalingv1.Scale{},
		
	} {
		roots[k] = expr(reflect.TypeOf(v))
	}
	names := make([]string, 0)
	for n := range types {
		names = append(names, n)
	}
	sort.Strings(names)
	if len(os.Args) > 1 && os.Args[1] == "numbers" {
		fmt.Print(numbersHead)
		for _, n := range names {
			fmt.Printf("  '%s': '%s',\n", n, strings.Join(numbers[n], " "))
		}
		fmt.Print("}\n")
		return
	}
	fmt.Print(head)
	fmt.Println("export const roots: Readonly<Record<string, string>> = {")
	plurals := make([]string, 0)
	for n := range roots {
		plurals = append(plurals, n)
	}
	sort.Strings(plurals)
	for _, p := range plurals {
		fmt.Printf("  %s: '%s',\n", p, strings.TrimPrefix(roots[p].(string), "@"))
	}
	fmt.Print("}\n\nexport const structs: Readonly<Record<string, readonly string[]>> = {\n")
	for _, n := range names {
		fs := []string{}
		for _, f := range types[n] {
			fs = append(fs, "'"+strings.TrimSpace(fmt.Sprintf("%s %s %s", f[0], f[1], f[2]))+"'")
		}
		fmt.Printf("  '%s': [%s],\n", n, strings.Join(fs, ", "))
	}
	fmt.Print("}\n")
}
