package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestListDecodesEveryPage(t *testing.T) {
	s := &pagedServer{names: manyNames(1200), rv: 7}
	c := serve(t, s.ServeHTTP)
	seen := map[string]string{}
	err := List(context.Background(), c, ConfigMaps(), "n", "", func(o corev1.ConfigMap) error {
		seen[o.Name] = o.Labels["l"]
		return nil
	})
	if err != nil || len(seen) != 1200 || seen["c1199"] != "c1199" {
		t.Fatalf("%d objects, last %q, %v", len(seen), seen["c1199"], err)
	}
	if len(s.requests) != 3 || !strings.HasPrefix(s.requests[0], "/api/v1/namespaces/n/configmaps?") {
		t.Errorf("requests %q", s.requests)
	}
	m, err := ListMap[corev1.ConfigMap](context.Background(), c, ConfigMaps(), "n", "")
	if err != nil || len(m) != 1200 || m["n/c0003"].Name != "c0003" {
		t.Errorf("%d objects in the map, %v", len(m), err)
	}
}

func TestListPassesSelectorAndErrors(t *testing.T) {
	var query string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.RequestURI()
		fmt.Fprint(w, `{"items":[{"metadata":{"name":"z-1","labels":{"zone":"a"}}}]}`)
	})
	stop := errors.New("enough")
	err := List(context.Background(), c, Nodes(), "", "zone=a", func(corev1.Node) error { return stop })
	if !errors.Is(err, stop) || query != "/api/v1/nodes?labelSelector=zone%3Da&limit=500" {
		t.Errorf("%v after %s", err, query)
	}
	m, err := ListMap[corev1.Node](context.Background(), c, Nodes(), "", "")
	if err != nil || m["z-1"].Labels["zone"] != "a" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestReadSaysWhichFieldIsWrongNotItsValue(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/none") {
			writeStatus(w, 404, "NotFound", "no such", "")
			return
		}
		fmt.Fprint(w, `{"metadata":{"name":"a"},"data":"hunter2"}`)
	})
	_, err := Read[corev1.ConfigMap](context.Background(), c, ConfigMaps(), "n", "a")
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "configmaps n/a: field data") {
		t.Errorf("error %v", err)
	}
	if _, err = Read[corev1.ConfigMap](context.Background(), c, ConfigMaps(), "n", "none"); !IsNotFound(err) {
		t.Errorf("error %v, want not found", err)
	}
	err = List(context.Background(), serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"items":[{"metadata":{"name":"a","namespace":"n"},"data":7}]}`)
	}), ConfigMaps(), "", "", func(corev1.ConfigMap) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "configmaps n/a: field data") {
		t.Errorf("error %v", err)
	}
}

func TestMakeReturnsWhatWasStored(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var o corev1.ConfigMap
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &o); err != nil || r.Method != http.MethodPost {
			t.Errorf("%s %s: %v", r.Method, body, err)
		}
		o.UID = "made"
		_ = json.NewEncoder(w).Encode(o)
	})
	in := &corev1.ConfigMap{}
	in.Name, in.Data = "a", map[string]string{"k": "v"}
	out, err := Make(context.Background(), c, ConfigMaps(), "n", in, WriteOptions{})
	if err != nil || out.UID != "made" || out.Data["k"] != "v" {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestTypesHaveTheServersPaths(t *testing.T) {
	for want, r := range map[string]Resource{
		"/api/v1/namespaces":                                            Namespaces(),
		"/api/v1/namespaces/n/pods":                                     Pods(),
		"/api/v1/namespaces/n/persistentvolumeclaims":                   Claims(),
		"/api/v1/persistentvolumes":                                     Volumes(),
		"/apis/storage.k8s.io/v1/storageclasses":                        StorageClasses(),
		"/apis/storage.k8s.io/v1/volumeattributesclasses":               VolumeAttributesClasses(),
		"/apis/storage.k8s.io/v1/csidrivers":                            CSIDrivers(),
		"/apis/snapshot.storage.k8s.io/v1/namespaces/n/volumesnapshots": VolumeSnapshots(),
		"/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents":       VolumeSnapshotContents(),
		"/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses":        VolumeSnapshotClasses(),
	} {
		ns := ""
		if r.Namespaced {
			ns = "n"
		}
		if got := r.urlPath(ns, "", ""); got != want {
			t.Errorf("path %s, want %s", got, want)
		}
	}
}

// What is not there is told from an API server that does not answer: only that is final.
func TestSecretValue(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/here") {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"kind":"Status","reason":"NotFound","code":404}`)
			return
		}
		fmt.Fprint(w, `{"data":{"cloud":"eA=="}}`)
	})
	for key, want := range map[string]string{
		"here/cloud": "", "here/other": `key "other" of secret velero/here is not there`, "gone/cloud": "secret velero/gone is not there",
	} {
		name, key, _ := strings.Cut(key, "/")
		value, err := SecretValue(t.Context(), c, "velero", name, key)
		if want == "" && (err != nil || string(value) != "x") || want != "" && (!errors.Is(err, ErrNoSecret) || err.Error() != want) {
			t.Errorf("%s/%s: %q, %v", name, key, value, err)
		}
	}
}
