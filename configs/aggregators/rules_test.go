package aggregators

import (
	"os"
	"os/exec"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// alertRules is what of a file of rules, and of one of their tests, is looked at.
type alertRules struct {
	Groups []struct {
		Rules []struct{ Alert string }
	}
	Tests []struct {
		Tests []struct {
			Alert  string `yaml:"alertname"`
			Expect []any  `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

// TestAlertRules: the real promtool sees every alert firing on a bad series and
// silent on a healthy one.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	promtool := sinktest.Real(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "--lint-fatal", "prometheus-rules.yaml"}, {"test", "rules", "prometheus-rules.test.yaml"}} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", args, err, out)
		}
	}
	var r alertRules
	for _, name := range []string{"prometheus-rules.yaml", "prometheus-rules.test.yaml"} {
		data, err := os.ReadFile(name)
		if err == nil {
			err = yaml.Unmarshal(data, &r)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, group := range r.Tests {
		for _, test := range group.Tests {
			fires[test.Alert] = fires[test.Alert] || len(test.Expect) > 0
			silent[test.Alert] = silent[test.Alert] || len(test.Expect) == 0
		}
	}
	n := 0
	for _, group := range r.Groups {
		for _, rule := range group.Rules {
			n++
			if !fires[rule.Alert] || !silent[rule.Alert] {
				t.Errorf("%s: shown firing %v, silent %v", rule.Alert, fires[rule.Alert], silent[rule.Alert])
			}
		}
	}
	if n < 8 {
		t.Errorf("%d alerts", n)
	}
}
